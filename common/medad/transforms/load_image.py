# SPDX-License-Identifier: Apache-2.0
"""Loading of an image, whatever its format, as a channel-first float32 tensor, or one sentence why not."""

import logging
import warnings
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import ImageReader, MetaTensor
from monai.transforms import LoadImaged
from monai.utils import ensure_tuple
from numpy.typing import NDArray

from ..errors import InputError, MedadError, brief
from ..formats import series_behind
from ..formats.dicom_image import read_dicom_slices
from ..formats.reader import DisplayedImageReader, MedicalImageReader
from .meaning import values_entry


class LoadImageFiled(LoadImaged):
    """MONAI's ``LoadImaged`` with medad's reader; every failure is one ``InputError`` that names the file.

    Differs from ``LoadImaged``: no other reader is tried after a failure, and an entry that is already an array
    ``(C, *spatial)`` is passed on as a tensor, so that a library user may skip the file.

    Args:
        keys: entries that hold a path, or a list with one path per channel.
        reader: class or name of an ``ImageReader``; ``None`` means ``MedicalImageReader``.
        dtype: type of the loaded values.
        ensure_channel_first: put the channel axis first, or add one.
        image_only: ``False`` also stores the metadata as ``<key>_meta_dict``.
        allow_missing_keys: skip keys that an item does not have.
        display: take DICOM values as a viewer shows them, with :class:`DisplayedImageReader`.
    """

    def __init__(
        self,
        keys: KeysCollection,
        reader: type[ImageReader] | str | None = None,
        dtype: Any = np.float32,
        ensure_channel_first: bool = True,
        image_only: bool = True,
        allow_missing_keys: bool = False,
        display: bool = False,
    ) -> None:
        # MONAI builds all its readers here, and one of them complains about a plug-in that nobody asked for
        logging.getLogger("monai.data.nvimgcodec_pydicom_plugin").setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="NvImgCodec")
            super().__init__(
                keys,
                reader or (DisplayedImageReader if display else MedicalImageReader),
                dtype=dtype,
                ensure_channel_first=ensure_channel_first,
                image_only=image_only,
                allow_missing_keys=allow_missing_keys,
            )
        self.display = display
        self._reader = self._loader.readers[-1]

    def __call__(self, data: Mapping[Hashable, Any], reader: ImageReader | None = None) -> dict[Hashable, Any]:
        """Load the entries of one item.

        Args:
            data: one item of a data list.
            reader: another reader, for this call.

        Returns:
            The item with tensors ``(C, *spatial)`` in place of the paths; all other entries as they were.

        Raises:
            InputError: if an entry is missing or a file cannot be loaded.
        """
        item = dict(data)
        for key in self.keys:
            if key not in item:
                if self.allow_missing_keys:
                    continue
                raise InputError(
                    f"no entry {str(key)!r}; its entries are {', '.join(map(str, item))}",
                    where="item of the data list",
                    expected="a path to an image",
                    remedy="Add the entry to the data list, or use a split that has it.",
                )
            loaded = self._load(item[key], reader or self._reader)
            if isinstance(loaded, tuple):
                item[key], item[f"{key}_meta_dict"] = loaded
            else:
                item[key] = loaded
            item[key].meta.update(self.values_entry)
        return item

    @property
    def values_entry(self) -> dict[str, str]:
        """What the metadata of an image say of its values, see :func:`medad.transforms.meaning.require_values`."""
        return values_entry(self.display)

    def dicom_slices(self, files: Sequence[str]) -> NDArray[np.float32]:
        """Give the values of DICOM files as a bundle with this loader takes them.

        For hosts that put slices in order and know their geometry themselves, such as MONAI Deploy: it leaves loaders
        out. They have to add :attr:`values_entry` to the metadata of the image.

        Args:
            files: files with one slice each, of one size.

        Returns:
            ``(slice, row, column)`` in the order of ``files``.

        Raises:
            InputError: if the pixels of a file cannot be decoded, or slices with positions are no volume.
        """
        return read_dicom_slices(files, self.display)

    def _load(self, entry: Any, reader: ImageReader) -> Any:
        if isinstance(entry, (np.ndarray, torch.Tensor)):
            tensor = MetaTensor(torch.as_tensor(np.asarray(entry, dtype=self._loader.dtype)))
            tensor.meta.update(getattr(entry, "meta", {}))
            return tensor
        if self.display:
            for path in ensure_tuple(entry):
                _require_displayed(str(path))
        try:
            return self._loader(entry, reader)
        except MedadError:
            raise
        except Exception as error:  # whatever a library raises becomes one sentence
            raise InputError(
                f"cannot be loaded ({brief(error)})",
                where=", ".join(map(str, ensure_tuple(entry))),
                expected="an image file",
                remedy="Check the file and the entry in the data list.",
            ) from error


def _require_displayed(path: str) -> None:
    """Refuse a copy of a DICOM series that window and lookup table are lost in."""
    series = series_behind(path)
    if series is not None:
        raise InputError(
            f"a NIfTI file beside the DICOM series that it was made of ({series.name}), as MONAI Label hands it over",
            where=path,
            expected="values as a viewer shows them, which only the DICOM files tell",
            remedy="Give the series itself; start MONAI Label with MONAI_LABEL_DICOMWEB_CONVERT_TO_NIFTI=false.",
        )
