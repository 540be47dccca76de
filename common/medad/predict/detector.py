# SPDX-License-Identifier: Apache-2.0
"""Detector: a trained bundle as one object, image in, map, score and mask out."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import torch
from monai.networks.utils import eval_mode
from numpy.typing import ArrayLike
from torch import Tensor

from ..configuration import PathLike, build, read_config
from ..engines import postprocess_case
from ..errors import unwrap_errors
from ..keys import Keys
from ..loading import collate_cases
from ..networks import load_weights
from .arrays import AxisOrder
from .inputs import Image, axis_order_of_file, item_of_image
from .result import AnomalyResult, result_of_case

Prepared: TypeAlias = tuple[dict[str, Any], AxisOrder]


class AnomalyDetector:
    """Find anomalies in images with a trained bundle.

    A thin layer over the bundle's ``inference.json``: its preprocessing, network, inferer and post-processing, built
    once. They are attributes of the same names. The results are those of ``monai.bundle run`` with the same
    configuration, in the same batches on a CPU to the last bit. Nothing is written.

    Args:
        bundle: folder of the bundle.
        overlays: overlays that the weights were trained with, such as ``["cpu"]``.
        overrides: any key of ``inference.json``: ``device``, ``ckpt_path``, ``calibration_path``, ``threshold``,
            ``image_false_positive_rate``, ``voxel_false_positive_rate``, ``batch_size``, ... Keys of folders and tables
            have no meaning here.

    Raises:
        InputError: if the bundle, an overlay, a key or the weights do not exist, or do not fit together.

    Example:
        See ``docs/how_to/python.md``; its code is executed by a test.
    """

    def __init__(self, bundle: PathLike, overlays: Sequence[PathLike] = (), **overrides: Any) -> None:
        config = read_config(bundle, "inference", overlays, overrides)
        self.device = torch.device(build(config, "device"))
        self.spatial_dims = int(build(config, "spatial_dims"))
        self.batch_size = int(build(config, "batch_size"))
        self.amp = bool(build(config, "amp"))
        self.network = build(config, "network")
        self.preprocessing = build(config, "preprocessing")
        self.inferer = build(config, "inferer")
        self.postprocessing = build(config, "postprocessing")
        load_weights(self.network, build(config, "ckpt_path"), self.device)

    def __call__(
        self,
        image: Image,
        *,
        channel_axis: int | None = None,
        affine: ArrayLike | None = None,
        dataset: str | None = None,
    ) -> AnomalyResult:
        """Judge one image.

        Args:
            image: a file (NIfTI, PNG, JPEG, TIFF, DICOM), a folder with one DICOM series, a list with one path per
                channel; or an array or tensor: a picture ``(rows, columns)`` or a volume ``(x, y, z)``.
            channel_axis: which axis of an array holds the channels; ``None`` if there is none.
            affine: of a volume given as an array; see :func:`medad.predict.arrays.image_from_array`.
            dataset: data set whose calibration judges the image, for a bundle that was calibrated on several; by
                default the calibration over all images.

        Returns:
            The result, on the grid of the input.

        Raises:
            InputError: if the image cannot be used; it says why and what to do.
        """
        return self._finish([self._prepare(image, channel_axis, affine, dataset)])[0]

    def map(
        self, images: Iterable[Image], *, channel_axis: int | None = None, dataset: str | None = None
    ) -> Iterator[AnomalyResult]:
        """Judge many images, ``batch_size`` at a time.

        Neighbors of one shape share a batch; volumes of a 2D network go through alone, since their slices are a batch.

        Args:
            images: as in a call.
            channel_axis: that of all arrays.
            dataset: that of all images.

        Yields:
            The results, in order.

        Raises:
            InputError: at the first image that cannot be used.
        """
        batch: list[Prepared] = []
        for image in images:
            prepared = self._prepare(image, channel_axis, dataset=dataset)
            if batch and not self._fits(prepared, batch):
                yield from self._finish(batch)
                batch = []
            batch.append(prepared)
        if batch:
            yield from self._finish(batch)

    def _prepare(
        self, image: Image, channel_axis: int | None, affine: ArrayLike | None = None, dataset: str | None = None
    ) -> Prepared:
        item, order = item_of_image(image, channel_axis, affine)
        if dataset is not None:
            item[Keys.DATASET] = dataset
        with unwrap_errors():
            case = self.preprocessing(item)
        return case, order or axis_order_of_file(item[Keys.IMAGE], case[Keys.IMAGE])

    def _fits(self, prepared: Prepared, batch: list[Prepared]) -> bool:
        shape, first = (case[Keys.IMAGE].shape for case, _ in (prepared, batch[0]))
        return len(batch) < self.batch_size and shape == first and len(shape) == self.spatial_dims + 1

    def _finish(self, batch: list[Prepared]) -> list[AnomalyResult]:
        images = collate_cases([case for case, _ in batch])[Keys.IMAGE].to(self.device)
        with eval_mode(self.network), torch.autocast("cuda", enabled=self.amp):
            predictions = self.inferer(images, self.network)
        return [
            self._judge(case, order, prediction) for (case, order), prediction in zip(batch, predictions, strict=True)
        ]

    def _judge(self, item: dict[str, Any], order: AxisOrder, prediction: Tensor) -> AnomalyResult:
        case, calibration_error = postprocess_case(item, prediction, self.postprocessing)
        return result_of_case(case, order, calibration_error)
