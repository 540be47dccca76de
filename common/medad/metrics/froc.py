# SPDX-License-Identifier: Apache-2.0
"""Free-response ROC: sensitivity(t) = lesions found at score >= t / lesions, over false positives(t) / images.

The curve runs linearly between the thresholds, from (0, 0), and stays level after the lowest one. Counts may be
weighted (bootstrap); where the curve is undefined it is NaN.

References:
    [1] P. Bunch et al., "A Free Response Approach to the Measurement and Characterization of Radiographic Observer
        Performance", Proc. SPIE 127, 1977.
    [2] A. Setio et al., "Validation, Comparison, and Combination of Algorithms for Automatic Detection of Pulmonary
        Nodules in Computed Tomography Images: The LUNA16 Challenge", Medical Image Analysis 42, 2017,
        arXiv:1612.08012 (the seven rates and their mean).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from .detection import DetectionRecord
from .ranking import at_or_above

FALSE_POSITIVE_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives per image at which the sensitivity is read."""


def froc_curve(false_positives: Tensor, found: Tensor, images: Tensor, lesions: Tensor) -> tuple[Tensor, Tensor]:
    """Draw the curve from counts per level of the score.

    MONAI's ``compute_froc_curve_data`` leaves out the lowest score, which is a missed lesion's 0 there; where all
    lesions are found it loses an operating point. It also knows no weights.

    Args:
        false_positives: ``(..., levels)`` false positives per level, ascending score.
        found: ``(..., levels)`` lesions per level of their best hit.
        images: ``(...)`` number of images.
        lesions: ``(...)`` number of lesions, those never hit included.

    Returns:
        False positives per image and sensitivity, each ``(..., levels + 1)`` float64, from (0, 0) to the lowest score.
    """
    curves = [torch.nn.functional.pad(at_or_above(counts).flip(-1), (1, 0)) for counts in (false_positives, found)]
    return curves[0] / images[..., None], curves[1] / lesions[..., None]


def sensitivity_at_false_positives(
    false_positives: Tensor, sensitivity: Tensor, rates: Sequence[float] = FALSE_POSITIVE_RATES
) -> Tensor:
    """Read the curve at given numbers of false positives per image.

    Args:
        false_positives: ``(..., points)`` false positives per image from :func:`froc_curve`.
        sensitivity: ``(..., points)``.
        rates: numbers of false positives per image, at least 0.

    Returns:
        ``(..., rates)`` float64 in [0, 1]: between two points interpolated, at a vertical step its upper end.

    Raises:
        ValueError: if there is no rate, or one is negative.
    """
    wanted = torch.tensor(rates, dtype=torch.float64)
    if wanted.ndim != 1 or not len(wanted) or not bool((wanted >= 0).all()):
        raise ValueError(f"rates is {rates}; expected at least one number, all at least 0.")
    wanted = wanted.expand(*false_positives.shape[:-1], -1).contiguous()
    beyond = torch.searchsorted(false_positives.contiguous(), wanted, right=True)  # the curve starts at 0: at least 1
    left, right = (beyond - 1).clamp(min=0), beyond.clamp(max=sensitivity.shape[-1] - 1)
    (x0, x1), (y0, y1) = ((c.gather(-1, left), c.gather(-1, right)) for c in (false_positives, sensitivity))
    value = y0 + (y1 - y0) * torch.where(x1 > x0, (wanted - x0) / (x1 - x0), 0.0)
    return torch.where(x0.isnan(), torch.nan, value)


class FrocStatistic:
    """Sensitivities at false-positive rates under subject weights, exact for any ties.

    Args:
        records: all images, those without lesions and without detections too.
        subjects: names of the subjects, in the order of the weights.
        rates: numbers of false positives per image.
        normal_only: whether false positives are counted on the images without lesions only.

    Attributes:
        value: named values, 0-dimensional: ``mean_sensitivity`` and ``sensitivity_<i>`` by position in ``rates``.
        thresholds: ``(points - 1,)`` float64, the scores of the curve's points after the first, falling.
    """

    def __init__(
        self, records: Sequence[DetectionRecord], subjects: Sequence[str], rates: Sequence[float], normal_only: bool
    ) -> None:
        self._rates = rates
        row = {subject: index for index, subject in enumerate(subjects)}
        counted = [r for r in records if not (normal_only and len(r.lesion_scores))]
        best, self._lesion_subject = _pool([(r.lesion_scores, row[r.subject_id]) for r in records])
        false, self._false_subject = _pool([(r.false_positive_scores, row[r.subject_id]) for r in counted])
        self._image_subject = torch.tensor([row[r.subject_id] for r in counted], dtype=torch.int64)
        hit = best > -torch.inf
        self._found_subject = self._lesion_subject[hit]
        levels, level = torch.unique(torch.cat([best[hit], false]), return_inverse=True)
        self._levels = len(levels)
        self.thresholds = levels.flip(0)
        self._found_level, self._false_level = level.split([int(hit.sum()), len(false)])
        unweighted = self(torch.ones(1, len(subjects), dtype=torch.float64))
        self.value = {name: value[0] for name, value in unweighted.items()}

    def curve(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return false positives per image and sensitivity ``(r, points)`` for weights ``(r, subjects)``."""
        counts = torch.zeros(2, len(weights), self._levels, dtype=torch.float64)
        counts[0].index_add_(1, self._false_level, weights[:, self._false_subject])
        counts[1].index_add_(1, self._found_level, weights[:, self._found_subject])
        images, lesions = (weights[:, subject].sum(dim=1) for subject in (self._image_subject, self._lesion_subject))
        return froc_curve(counts[0], counts[1], images, lesions)

    def __call__(self, weights: Tensor) -> dict[str, Tensor]:
        """Return the sensitivities ``(r,)`` for weights ``(r, subjects)``."""
        at_rates = sensitivity_at_false_positives(*self.curve(weights), self._rates)
        by_rate = {f"sensitivity_{i}": column for i, column in enumerate(at_rates.unbind(-1))}
        return {"mean_sensitivity": at_rates.mean(dim=-1), **by_rate}


def _pool(scored: Sequence[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
    """Put the scores of all images behind each other, and beside each the subject it is of."""
    scores = [torch.zeros(0, dtype=torch.float64), *(values.to("cpu", torch.float64) for values, _ in scored)]
    lengths = torch.tensor([len(values) for values, _ in scored], dtype=torch.int64)
    owners = torch.tensor([subject for _, subject in scored], dtype=torch.int64)
    return torch.cat(scores), owners.repeat_interleave(lengths)
