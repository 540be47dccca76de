# SPDX-License-Identifier: Apache-2.0
"""Summary of a data set as JSON: each metric as value and 95 % interval, or null with the reason."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from .bootstrap import percentile_interval, resample, subject_weights
from .histogram import ScoreHistogram, empty_histogram
from .statistics import PIXEL_METRICS, CountStatistic, ImageRecord, ImageStatistic, PixelStatistic

_IMAGE_METRICS = ("image_auroc", "image_ap")
_COUNT_METRICS = {
    "dice": "abnormal voxels",
    "false_positive_rate": "normal images",
    "true_positive_rate": "abnormal images",
    "pixel_false_positive_rate": "normal images",
    "lesion_sensitivity": "lesions",
    "false_positives_per_image": "a predicted mask",
}


@dataclass
class SubjectState:
    """What is kept of one subject: counts by name, and a coarse histogram for the bootstrap."""

    counts: Counter[str] = field(default_factory=Counter)
    histogram: ScoreHistogram = field(default_factory=empty_histogram)


def summarize(
    subjects: Mapping[str, SubjectState],
    images: Sequence[ImageRecord],
    fine: ScoreHistogram,
    *,
    size_edges: Sequence[int],
    fpr_limit: float,
    bootstrap: int,
    seed: int,
) -> dict[str, Any]:
    """Compute every metric with its interval.

    Args:
        subjects: state by subject; taken in the order of the names, so the order of arrival does not matter.
        images: result of every scored image.
        fine: fine histogram of all voxels.
        size_edges: lesion sizes at which a new stratum starts.
        fpr_limit: upper end of the AUPRO integral.
        bootstrap: number of resamples, 0 for none.
        seed: seed of the resampling.

    Returns:
        JSON-serializable dictionary, see :meth:`AnomalyMetrics.compute`.
    """
    names = sorted(subjects)
    states = [subjects[name] for name in names]
    strata = len(size_edges) + 1
    totals: Counter[str] = Counter()
    for state in states:
        totals.update(state.counts)
    counted = CountStatistic([state.counts for state in states], strata)
    pixel = PixelStatistic(fine, [state.histogram for state in states], fpr_limit)
    image = ImageStatistic(images, names)
    values = image.value | pixel.value | counted.value
    samples: dict[str, Tensor] | None = None
    if bootstrap:
        weights = subject_weights(max(len(names), 1), bootstrap, seed)[:, : len(names)]
        samples = resample(image, weights) | resample(pixel, weights) | resample(counted, weights)
    support = _support(states) | counted.support
    reasons = undefined_reasons(totals, int(fine.negatives.sum()), int(fine.positives.sum()), strata)

    def write(name: str, needs: str) -> dict[str, Any]:
        drawn = None if samples is None else samples[name]
        return entry(float(values[name]), drawn, reasons[name], support[name], needs)

    result: dict[str, Any] = {name: write(name, "images of each class") for name in _IMAGE_METRICS}
    result |= {name: write(name, "voxels of each class") for name in PIXEL_METRICS}
    result |= {name: write(name, needs) for name, needs in _COUNT_METRICS.items()}
    result["lesion_sensitivity_by_size"] = [
        _stratum(low, high, totals[f"lesions_{i}"], write(f"lesion_sensitivity_{i}", "lesions of this size"))
        for i, (low, high) in enumerate(zip((1, *size_edges), (*size_edges, None), strict=True))
    ]
    level = "images" if images else "cases"
    result["n"] = {
        "images": totals[f"normal_{level}"] + totals[f"abnormal_{level}"],
        "normal": totals[f"normal_{level}"],
        "abnormal": totals[f"abnormal_{level}"],
        "subjects": len(names),
        "lesions": totals["lesions"],
        "voxels": totals["voxels"],
    }
    return result


def entry(
    value: float, samples: Tensor | None, undefined: str, support: int, needs: str
) -> dict[str, float | str | None]:
    """Write one metric as a JSON object.

    Args:
        value: the metric, NaN where undefined.
        samples: its bootstrap samples, None if no interval is asked for.
        undefined: why the metric is undefined, if it is.
        support: number of subjects that the metric varies with, the smaller one of two classes.
        needs: what of each subject is counted in ``support``.

    Returns:
        ``{"value", "low", "high"}`` and, where one of them is None, ``"reason"``.
    """
    if not math.isfinite(value):
        return {"value": None, "low": None, "high": None, "reason": undefined}
    if samples is None:
        return {"value": value, "low": None, "high": None, "reason": "no interval was asked for (bootstrap = 0)"}
    if support < 2:
        reason = f"an interval needs at least 2 subjects with {needs}; there is {support}"
        return {"value": value, "low": None, "high": None, "reason": reason}
    interval = percentile_interval(samples)
    if interval is None:
        reason = "the metric is undefined in more than half of the resamples: too few subjects"
        return {"value": value, "low": None, "high": None, "reason": reason}
    return {"value": value, "low": interval[0], "high": interval[1]}


def undefined_reasons(totals: Mapping[str, int], negatives: int, positives: int, strata: int) -> dict[str, str]:
    """Say for every metric why it would be undefined.

    Args:
        totals: summed counts.
        negatives: normal voxels with a score.
        positives: abnormal voxels with a score.
        strata: number of lesion-size strata.

    Returns:
        Reason by metric.
    """
    normal, abnormal = totals.get("normal_images", 0), totals.get("abnormal_images", 0)
    images = f"needs scored images of both classes; there are {normal} normal and {abnormal} abnormal ones"
    pixel = (
        f"needs voxels of both classes under an anomaly map; there are {negatives} normal and {positives} abnormal ones"
    )
    no_mask = "no predicted mask was given"
    lesion = "no lesion in the cases with a predicted mask" if totals.get("predicted_cases") else no_mask
    return {
        "image_auroc": images,
        "image_ap": images,
        **dict.fromkeys(PIXEL_METRICS, pixel),
        "dice": lesion,
        "false_positive_rate": "no normal image has a decision",
        "true_positive_rate": "no abnormal image has a decision",
        "pixel_false_positive_rate": "no normal image has a predicted mask",
        "lesion_sensitivity": lesion,
        "false_positives_per_image": no_mask,
        **{
            f"lesion_sensitivity_{i}": "no lesion of this size in the cases with a predicted mask"
            for i in range(strata)
        },
    }


def _stratum(low: int, high: int | None, lesions: int, sensitivity: dict[str, Any]) -> dict[str, Any]:
    """Name the interval's ends apart from the sizes of the stratum, which are ``low`` to below ``high``."""
    interval = {"value_low": sensitivity.pop("low"), "value_high": sensitivity.pop("high")}
    return {"low": low, "high": high, "unit": "voxels", "n": lesions, **sensitivity, **interval}


def _support(states: Sequence[SubjectState]) -> dict[str, int]:
    """Count the subjects of the rarer class: an interval that hardly resamples one class would be far too narrow."""
    images = min(sum(s.counts[f"{kind}_images"] > 0 for s in states) for kind in ("normal", "abnormal"))
    negatives = sum(bool(s.histogram.negatives.any()) for s in states)
    positives = sum(bool(s.histogram.positives.any()) for s in states)
    return dict.fromkeys(_IMAGE_METRICS, images) | dict.fromkeys(PIXEL_METRICS, min(negatives, positives))
