# SPDX-License-Identifier: Apache-2.0
"""Metrics as functions of subject weights: metric(sum_s w_s counts_s).

Weights of 1 give the value, bootstrap weights the interval.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .bootstrap import WeightedHistograms
from .dice import oracle_dice, pooled_dice
from .histogram import MANTISSA_BITS, SUBJECT_MANTISSA_BITS, ScoreHistogram, key_values
from .ranking import auroc, average_precision, fpr_at_tpr
from .region_overlap import aupro

_UNBOUNDED = "oracle_threshold"
PIXEL_METRICS = ("pixel_auroc", "pixel_ap", "fpr95", "oracle_dice", "oracle_threshold", "aupro")


class ImageRecord(NamedTuple):
    """Result of one image: score, label 0/1, decision 0/1 or None, subject."""

    score: float
    label: int
    decision: int | None
    subject_id: str


def pixel_metrics(
    negatives: Tensor, positives: Tensor, regions: Tensor, levels: Tensor, fpr_limit: float
) -> dict[str, Tensor]:
    """Compute all metrics of the anomaly map from counts ``(..., bins)``; ``levels`` are the bins' lowest scores."""
    best, level = oracle_dice(negatives, positives)
    threshold = levels.to(torch.float64)[level] if len(levels) else torch.full_like(best, torch.nan)
    return {
        "pixel_auroc": auroc(negatives, positives),
        "pixel_ap": average_precision(negatives, positives),
        "fpr95": fpr_at_tpr(negatives, positives, 0.95),
        "oracle_dice": best,
        "oracle_threshold": torch.where(best.isnan(), torch.nan, threshold),
        "aupro": aupro(negatives, regions, fpr_limit),
    }


class PixelStatistic:
    """Map metrics under subject weights, from the subjects' coarse histograms.

    The coarse bins move a metric by up to some thousandths; the difference to the value from the fine histogram is
    added to all resamples (:attr:`value` minus the unweighted coarse value), so that interval and value belong
    together.
    """

    def __init__(self, fine: ScoreHistogram, coarse: Sequence[ScoreHistogram], fpr_limit: float) -> None:
        self._fpr_limit = fpr_limit
        self._histograms = WeightedHistograms(coarse)
        self._levels = key_values(self._histograms.keys, SUBJECT_MANTISSA_BITS)
        levels = key_values(fine.keys, MANTISSA_BITS)
        self.value = pixel_metrics(fine.negatives, fine.positives, fine.regions, levels, fpr_limit)
        rough = pixel_metrics(*self._histograms.unweighted, self._levels, fpr_limit)
        self._shift = {name: self.value[name] - rough[name] for name in PIXEL_METRICS if name != _UNBOUNDED}

    def __call__(self, weights: Tensor) -> dict[str, Tensor]:
        """Return the metrics ``(r,)`` for weights ``(r, subjects)``."""
        values = pixel_metrics(*self._histograms.weighted(weights), self._levels, self._fpr_limit)
        return {
            name: (value + self._shift[name]).clamp(0, 1) if name in self._shift else value
            for name, value in values.items()
        }


class ImageStatistic:
    """Image-level AUROC and average precision under subject weights, exact for any ties."""

    def __init__(self, records: Sequence[ImageRecord], subjects: Sequence[str]) -> None:
        row = {subject: index for index, subject in enumerate(subjects)}
        self._subject = torch.tensor([row[record.subject_id] for record in records], dtype=torch.int64)
        self._abnormal = torch.tensor([record.label == 1 for record in records], dtype=torch.bool)
        scores = torch.tensor([record.score for record in records], dtype=torch.float64)
        levels, self._level = torch.unique(scores, return_inverse=True)
        self._levels = len(levels)
        unweighted = self(torch.ones(1, len(subjects), dtype=torch.float64))
        self.value = {name: value[0] for name, value in unweighted.items()}

    def __call__(self, weights: Tensor) -> dict[str, Tensor]:
        """Return the metrics ``(r,)`` for weights ``(r, subjects)``."""
        negatives, positives = self._counts(weights, ~self._abnormal), self._counts(weights, self._abnormal)
        return {"image_auroc": auroc(negatives, positives), "image_ap": average_precision(negatives, positives)}

    def _counts(self, weights: Tensor, chosen: Tensor) -> Tensor:
        counts = torch.zeros(weights.shape[0], self._levels, dtype=torch.float64)
        return counts.index_add_(1, self._level[chosen], weights[:, self._subject[chosen]])


class CountStatistic:
    """Metrics at the given decisions and masks under subject weights: ratios of counts."""

    def __init__(self, counts: Sequence[Counter[str]], strata: int) -> None:
        self._strata = strata
        self._names = sorted({name for counter in counts for name in counter})
        self._table = torch.tensor(
            [[counter[name] for name in self._names] for counter in counts], dtype=torch.float64
        ).reshape(len(counts), len(self._names))
        self.value = self._ratios(self._table.sum(0))
        self.support = {name: int(value.isfinite().sum()) for name, value in self._ratios(self._table).items()}

    def __call__(self, weights: Tensor) -> dict[str, Tensor]:
        """Return the metrics ``(r,)`` for weights ``(r, subjects)``."""
        return self._ratios(weights @ self._table)

    def _ratios(self, totals: Tensor) -> dict[str, Tensor]:
        def total(name: str) -> Tensor:
            return totals[..., self._names.index(name)] if name in self._names else totals.new_zeros(totals.shape[:-1])

        def ratio(part: str, whole: str) -> Tensor:
            return total(part) / total(whole)

        found = [total(f"detected_{stratum}") for stratum in range(self._strata)]
        lesions = [total(f"lesions_{stratum}") for stratum in range(self._strata)]
        by_size = {f"lesion_sensitivity_{i}": found[i] / lesions[i] for i in range(self._strata)}
        return {
            "dice": pooled_dice(total("true_positives"), total("false_positives"), total("false_negatives")),
            "false_positive_rate": ratio("normal_flagged", "normal_decided"),
            "true_positive_rate": ratio("abnormal_flagged", "abnormal_decided"),
            "pixel_false_positive_rate": ratio("normal_voxels_in_mask", "normal_voxels"),
            "lesion_sensitivity": torch.stack(found).sum(0) / torch.stack(lesions).sum(0),
            "false_positives_per_image": ratio("false_positive_components", "predicted_cases"),
            **by_size,
        }
