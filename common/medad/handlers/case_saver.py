# SPDX-License-Identifier: Apache-2.0
"""Files of a case: map, mask and pseudo-healthy image, in the geometry of its file."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from PIL import Image

from ..errors import InputError
from ..files import atomic_path
from ..formats import has_geometry, save_nifti
from ..keys import Keys
from .dicom_results import DicomResults

_logger = logging.getLogger(__name__)

_FULL_SCALE = 65535


def _array(volume: Any) -> np.ndarray:
    """Channel-first tensor to an array with the channels, if there are several, last."""
    array = torch.as_tensor(volume).cpu().numpy()
    return array[0] if len(array) == 1 else np.moveaxis(array, 0, -1)


class CaseSaver:
    """Write ``<output_dir>/<case>/<case>_{anomaly_map,mask,reconstruction}`` for each case of a run.

    A volume, or a file that says where its pixels lie (NIfTI, MetaImage, NRRD), gives ``.nii.gz`` files with shape and
    geometry of the input, qform and sform of a NIfTI file as they stand there: map and reconstruction are float32, the
    mask is uint8. A 2D image gives ``.npy`` files with the same numbers, laid out (rows, columns), and PNG files to
    look at: the mask as 0/255, the map in 16 bits where white is ``map_white`` for every image of every run. The folder
    of a case appears when it is complete. A case that cannot be written as DICOM keeps its other files and is recorded
    in ``state.failures``.

    Args:
        output_dir: folder of the run.
        map_white: value of the map that becomes white in a PNG; of a reconstruction it is 1.
        pred_name: what ``pred`` is: ``"mask"``, or ``"heatmap"`` or ``"bins"`` for clients that show label maps only.
        dicom: writes mask and map of DICOM images as DICOM, too.
    """

    def __init__(
        self,
        output_dir: str | Path,
        map_white: float = 1.0,
        pred_name: str = "mask",
        dicom: DicomResults | None = None,
    ) -> None:
        self.output_dir = Path(output_dir)
        self.map_white = map_white
        self.pred_name = pred_name
        self.dicom = dicom

    def attach(self, engine: Engine) -> None:
        """Save the cases of every iteration."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Save the cases of this iteration."""
        for case in engine.state.output:
            missing = self.save(case)
            if missing is not None:
                _logger.error("%s: %s", case[Keys.CASE], missing)
                engine.state.failures.append({str(Keys.CASE): str(case[Keys.CASE]), "failure": str(missing)})

    def save(self, case: dict[str, Any]) -> InputError | None:
        """Save one post-processed case.

        Args:
            case: dictionary with ``case``, ``anomaly_map`` and, where there are any, ``pred`` and ``reconstruction``,
                each ``(C, *spatial)`` on the grid of the file.

        Returns:
            Why its DICOM files are missing, or ``None``; its other files are there.
        """
        name = str(case[Keys.CASE])
        anomaly_map = case[Keys.ANOMALY_MAP]
        affine = np.asarray(anomaly_map.affine.cpu(), dtype=np.float64)
        source = str(anomaly_map.meta.get("filename_or_obj", ""))
        with_geometry = anomaly_map.ndim == 4 or has_geometry(source)
        with atomic_path(self.output_dir / name) as folder:
            folder.mkdir(parents=True)
            for key, what in (
                (Keys.ANOMALY_MAP, "anomaly_map"),
                (Keys.PRED, self.pred_name),
                (Keys.RECONSTRUCTION, "reconstruction"),
            ):
                if key in case:
                    array = _array(case[key]).astype(np.uint8 if key == Keys.PRED else np.float32)
                    if with_geometry:
                        save_nifti(array, folder / f"{name}_{what}.nii.gz", affine, source)
                    else:
                        white = 1.0 if key == Keys.RECONSTRUCTION else self.map_white
                        self._write_picture(folder / f"{name}_{what}", array, white)
            return self._write_dicom(folder / name, source, case)

    def _write_dicom(self, stem: Path, source: str, case: dict[str, Any]) -> InputError | None:
        if self.dicom is None:
            return None
        with_mask = Keys.PRED in case and self.pred_name == "mask"
        mask = _array(case[Keys.PRED]).astype(np.uint8) if with_mask else None
        try:
            anomaly_map = _array(case[Keys.ANOMALY_MAP]).astype(np.float32)
            self.dicom.write(stem, source, anomaly_map, mask, white=self.map_white)
        except InputError as error:
            return error
        return None

    def _write_picture(self, stem: Path, array: np.ndarray, white: float) -> None:
        array = np.ascontiguousarray(array.swapaxes(0, 1))  # (x, y) in the pipeline, (rows, columns) in a picture
        np.save(stem.with_name(stem.name + ".npy"), array)
        if array.dtype == np.uint8:
            picture = array * np.uint8(255 if self.pred_name == "mask" else 1)
        elif array.ndim == 2:
            picture = (np.clip(array / white, 0, 1) * _FULL_SCALE).astype(np.uint16)
        elif array.shape[-1] == 3:
            picture = (np.clip(array / white, 0, 1) * 255).astype(np.uint8)
        else:  # several modalities are no colors
            return
        Image.fromarray(picture).save(stem.with_name(stem.name + ".png"))
