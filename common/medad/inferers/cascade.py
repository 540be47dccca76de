# SPDX-License-Identifier: Apache-2.0
"""Detection cascade: the anomaly is what is badly reconstructed and then classified as a lesion."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from monai.inferers import SlidingWindowInferer
from torch import Tensor, nn

from ..anomaly_map import Candidates, crop_around, score_candidates
from ..checks import check_at_least, check_choice, check_positive, check_sizes, check_within
from .base import AnomalyInferer

_STAGES = ("separation", "cascade")


class CascadeInferer(AnomalyInferer):
    """Slide the first stage over an image of any size, and ask the second one about every candidate.

    Windows overlap, and their residuals r = abs(x - x_hat) are averaged where they do. With ``stage="separation"`` the
    map is this average. With ``stage="cascade"`` the components of {r > threshold} are candidates; each has the score
    p(lesion) * mean(r), which is the map in its voxels, and the map is 0 elsewhere.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.
        patch_size: window of the first stage, one number per axis; smaller images are padded.
        overlap: share of a window that it has in common with the next, in [0, 1).
        threshold: residual from which a voxel belongs to a candidate.
        min_size: smallest size of a candidate, in voxels.
        crop_size: what the second stage sees around the center of a candidate, one number per axis.
        stage: ``"cascade"``, or the first stage alone, ``"separation"``.
        window_batch_size: windows, and crops, that go through the network together.
        slice_batch_size: how many slices of a volume go through a 2D network together.

    Returns:
        ``(B, 1 + C, *spatial)``: anomaly map, then the reconstruction.

    Raises:
        ValueError: if an argument is out of its range.

    References:
        Zhang et al., "Cascaded Generative and Discriminative Learning for Microcalcification Detection", CVPR 2019,
        doi:10.1109/CVPR.2019.01286.
    """

    uses_forward_only: ClassVar[bool] = False

    def __init__(
        self,
        spatial_dims: int,
        patch_size: Sequence[int],
        overlap: float = 0.5,
        threshold: float = 0.1,
        min_size: float = 31,
        crop_size: Sequence[int] = (56, 56),
        stage: Literal["separation", "cascade"] = "cascade",
        window_batch_size: int = 16,
        slice_batch_size: int = 32,
    ) -> None:
        super().__init__(spatial_dims, slice_batch_size)
        check_sizes(spatial_dims, patch_size=patch_size, crop_size=crop_size)
        check_within("[0, 1)", overlap=overlap)
        check_positive(threshold=threshold)
        check_choice(_STAGES, stage=stage)
        check_at_least(1, window_batch_size=window_batch_size)
        self.patch_size = tuple(patch_size)
        self.overlap = overlap
        self.threshold = threshold
        self.min_size = min_size
        self.crop_size = tuple(crop_size)
        self.stage = stage
        self.window_batch_size = window_batch_size

    def __repr__(self) -> str:
        """Say everything that makes the map; how many windows share a batch does not."""
        return super().__repr__().replace(f", window_batch_size={self.window_batch_size}", "")

    def infer(self, images: Tensor, network: nn.Module) -> Tensor:
        """Find what is badly reconstructed, and judge it; image by image, so that a batch changes nothing."""
        return torch.cat([self._infer_one(image[None], network) for image in images])

    def _infer_one(self, image: Tensor, network: nn.Module) -> Tensor:
        residual, reconstruction = self.separate(image, network).split((1, image.shape[1]), dim=1)
        if self.stage == "cascade":
            residual = self._detect(residual[0], image[0], network)[None]
        return torch.cat([residual, reconstruction], dim=1)

    def separate(self, images: Tensor, network: nn.Module) -> Tensor:
        """Apply the first stage.

        Args:
            images: ``(B, C, *spatial)``.
            network: the cascade.

        Returns:
            Averages over all windows of residual and reconstruction, ``(B, 1 + C, *spatial)``.
        """

        def of_windows(windows: Tensor) -> Tensor:
            reconstruction = network(windows)
            return torch.cat([(windows - reconstruction).abs().mean(dim=1, keepdim=True), reconstruction], dim=1)

        slide = SlidingWindowInferer(self.patch_size, self.window_batch_size, self.overlap, mode="constant")
        averaged: Tensor = slide(images, of_windows)  # type: ignore[assignment]
        return averaged

    def _detect(self, residual: Tensor, image: Tensor, network: nn.Module) -> Tensor:
        """Map of one image: the scores of its candidates, ``(1, *spatial)``."""

        def score(candidates: Candidates) -> Tensor:
            return self._judge(candidates, image, network)

        return score_candidates(residual, score, self.spatial_dims, self.threshold, self.min_size)

    def _judge(self, candidates: Candidates, image: Tensor, network: Any) -> Tensor:
        """Give every candidate p(lesion) * mean(r)."""
        lesion = [
            network.classify(crop_around(image, centers, self.crop_size)).softmax(dim=1)[:, 1]
            for centers in candidates.centroids.split(self.window_batch_size)
            if len(centers)
        ]
        return torch.cat(lesion) * candidates.means.to(image.dtype) if lesion else image.new_zeros(0)
