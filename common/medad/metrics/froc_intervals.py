# SPDX-License-Identifier: Apache-2.0
"""Sensitivities of the free-response ROC as JSON: each with a 95 % interval, or null with the reason."""

from collections.abc import Sequence
from typing import Any

from .bootstrap import RESAMPLES, resample, subject_weights
from .detection import DetectionRecord
from .froc import FALSE_POSITIVE_RATES, FrocStatistic
from .summary import entry


def summarize_froc(
    records: Sequence[DetectionRecord],
    rates: Sequence[float] = FALSE_POSITIVE_RATES,
    *,
    normal_only: bool = False,
    bootstrap: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute the sensitivity at each number of false positives per image, and the mean of these.

    Args:
        records: all images, those without lesions and without detections too.
        rates: numbers of false positives per image.
        normal_only: whether false positives are counted on the images without lesions only, and divided by their
            number. An annotation that misses lesions then costs nothing.
        bootstrap: number of resamples, 0 for none.
        seed: seed of the resampling.

    Returns:
        JSON-serializable: ``mean_sensitivity`` as ``{"value", "low", "high"}``, with ``"reason"`` where one of them is
        None; ``sensitivity_at_false_positives``, a list of the same with ``"false_positives_per_image"``; and ``n``.

    Raises:
        ValueError: if ``rates`` is empty or holds a negative number.
    """
    subjects = sorted({record.subject_id for record in records})
    statistic = FrocStatistic(records, subjects, rates, normal_only)
    samples = None
    if bootstrap:
        weights = subject_weights(max(len(subjects), 1), bootstrap, seed)[:, : len(subjects)]
        samples = resample(statistic, weights)
    lesions = sum(len(record.lesion_scores) for record in records)
    normal = sum(not len(record.lesion_scores) for record in records)
    undefined = "no image without a lesion to count false positives on" if lesions else "no lesion in the images"
    support = {"lesions": len({r.subject_id for r in records if len(r.lesion_scores)})}
    if normal_only:
        support["images without lesions"] = len({r.subject_id for r in records if not len(r.lesion_scores)})
    needs = min(support, key=lambda name: support[name])

    def write(name: str) -> dict[str, float | str | None]:
        drawn = None if samples is None else samples[name]
        return entry(float(statistic.value[name]), drawn, undefined, support[needs], needs)

    return {
        "mean_sensitivity": write("mean_sensitivity"),
        "sensitivity_at_false_positives": [
            {"false_positives_per_image": float(rate), **write(f"sensitivity_{i}")} for i, rate in enumerate(rates)
        ],
        "n": {"images": len(records), "normal": normal, "subjects": len(subjects), "lesions": lesions},
    }
