# SPDX-License-Identifier: Apache-2.0
"""Building a calibration from normal images, one by one and in bounded memory.

A voxel of image ``i`` weighs ``w_i = 1 / (n_i * v_i)``, with ``v_i`` foreground voxels in the image and ``n_i`` images
of its subject, so that every subject weighs the same. ``t(r)`` is the smallest upper edge of a histogram bin above
which at most the share ``r`` of all weight lies.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from .. import __version__
from ..anomaly_map.grid import on_grid_of
from ..errors import calibration_error
from ..keys import Keys
from .calibration import LOWEST_VOXEL_RATE, Calibration, voxel_rate_grid
from .hashing import as_json_holds_it
from .histogram import Histogram
from .left_out import LeftOutRates

_MANTISSA_BITS = 14


def images_per_subject(items: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count the images of every subject in a data list.

    Args:
        items: entries with ``subject_id``.

    Returns:
        Number of images by subject.
    """
    return dict(Counter(str(item[Keys.SUBJECT_ID]) for item in items))


class CalibrationBuilder:
    """Collect normal scores and maps; :meth:`merge` joins the builders of several processes.

    Map values are counted in bins at most ``2**-14`` (0.006 %) wide relative to their values. A threshold is the
    largest float of its bin: too high by at most that, never too low, and the share of voxels above it is exact. The
    histograms take 44 MB however many images come.

    Args:
        images_per_subject: number of calibration images of every subject, over all processes (see
            :func:`images_per_subject`); ``None`` if no subject has two. The voxels of a subject are weighted by it as
            they come. An image that fails and never comes leaves its subject's voxels that much lighter; scores are
            weighted by the images that came.
    """

    def __init__(self, images_per_subject: Mapping[str, int] | None = None) -> None:
        self.images_per_subject = None if images_per_subject is None else dict(images_per_subject)
        self._scores: list[tuple[float, str]] = []
        self._seen: Counter[str] = Counter()
        self._axes: set[int] = set()
        self._histogram = Histogram(_MANTISSA_BITS)
        self._left_out = LeftOutRates(self.images_per_subject)
        self._voxels = 0
        self._squared_weight = 0.0

    def update(
        self,
        score: float | torch.Tensor,
        anomaly_map: torch.Tensor,
        foreground: torch.Tensor | None,
        subject_id: str,
    ) -> None:
        """Add one normal image.

        Args:
            score: its anomaly score.
            anomaly_map: its map ``(1, *spatial)``, at least 0, on the grid where the mask is made.
            foreground: 0/1 mask ``(1, *spatial)`` of the voxels that count; ``None`` counts all. An empty one adds the
                score only.
            subject_id: whose image it is.

        Raises:
            CalibrationError: if score or map are not finite, or the map is negative somewhere.
            ValueError: if the shapes differ, or the subject has more images than ``images_per_subject`` says.
        """
        expected = 1 if self.images_per_subject is None else self.images_per_subject.get(subject_id, 0)
        if self._seen[subject_id] >= expected:
            raise ValueError(
                f"images_per_subject: image {self._seen[subject_id] + 1} of subject {subject_id!r}, but {expected} "
                "expected; count the images of the data list with images_per_subject(items)"
            )
        values = anomaly_map.as_subclass(torch.Tensor).float()
        values = (values if foreground is None else values[on_grid_of(foreground, values)]).reshape(-1)
        number = float(score)
        if not math.isfinite(number) or not bool(torch.isfinite(values).all()) or bool((values < 0).any()):
            raise calibration_error(
                f"calibration image of subject {subject_id!r}",
                "the anomaly map or score is not finite, or negative",
                "finite values of at least 0",
                "Check the image and the weights; a network trained to NaN has to be trained again.",
            )
        self._seen[subject_id] += 1
        self._scores.append((number, subject_id))
        self._axes.add(anomaly_map.ndim - 1)
        if values.numel():
            weight = 1.0 / (expected * values.numel())
            self._histogram.add(values, weight)
            self._left_out.add(subject_id, values, weight)
            self._voxels += values.numel()
            self._squared_weight += values.numel() * weight**2

    def merge(self, other: "CalibrationBuilder") -> None:
        """Add what another process collected from other images of the same data list.

        Args:
            other: its builder.

        Raises:
            ValueError: if the two disagree on the images per subject, or have an image twice.
        """
        if self.images_per_subject != other.images_per_subject:
            raise ValueError("images_per_subject of the two builders differ; give both that of the whole data list")
        seen = self._seen + other._seen
        for subject_id, count in seen.items():
            expected = 1 if self.images_per_subject is None else self.images_per_subject.get(subject_id, 0)
            if count > expected:
                raise ValueError(f"subject {subject_id!r} has {count} images, {expected} expected; some came twice")
        self._seen = seen
        self._scores += other._scores
        self._axes |= other._axes
        self._histogram.merge(other._histogram)
        self._left_out.merge(other._left_out)
        self._voxels += other._voxels
        self._squared_weight += other._squared_weight

    def build(self, data_sha256: str, weights_sha256: str, settings: Mapping[str, Any] | None = None) -> Calibration:
        """Make the calibration of the images seen so far.

        Args:
            data_sha256: :func:`~.hashing.data_hash` of the normal images.
            weights_sha256: :func:`medad.networks.weights_hash` of the network's weights.
            settings: what else makes the map and the score, by name.

        Returns:
            The calibration.

        Raises:
            CalibrationError: if no image came.
        """
        images, subjects = len(self._scores), len(self._seen)
        if not images:
            raise calibration_error(
                "calibration",
                "no normal image found",
                "held-out normal images",
                "Add a split 'calibration', or normal images (label 0) to 'validation'.",
            )
        maxima: dict[str, float] = {}
        for score, subject in self._scores:
            maxima[subject] = max(score, maxima.get(subject, score))
        pairs = sorted((score, images / (subjects * self._seen[subject])) for score, subject in self._scores)
        total = self._histogram.total
        effective = float(f"{total**2 / self._squared_weight:.12g}") if self._voxels else 0.0
        lowest = max(LOWEST_VOXEL_RATE, 1.0 / (effective + 1.0))
        rates = [rate for rate in voxel_rate_grid() if rate > lowest] + [lowest] if self._voxels else []
        left_out = self._left_out.rates(rates)
        return Calibration(
            scores=tuple(score for score, _ in pairs),
            score_weights=tuple(weight for _, weight in pairs),
            subjects=subjects,
            voxels=self._voxels,
            effective_voxels=effective,
            voxel_rates=tuple(rates),
            voxel_thresholds=tuple(self._histogram.thresholds(rates)),
            voxel_rates_expected=left_out.expected,
            voxel_rates_at_most=left_out.at_most,
            subject_maxima=tuple(sorted(maxima.values())),
            data_sha256=data_sha256,
            weights_sha256=weights_sha256,
            settings=as_json_holds_it(settings or {}),
            axes=tuple(sorted(self._axes)),
            medad_version=__version__,
        )
