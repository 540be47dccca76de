# SPDX-License-Identifier: Apache-2.0
"""Contribution of one case to the voxel and lesion metrics: a score histogram and counts, which add up."""

from collections import Counter
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import InputError
from ..morphology import label_components
from .histogram import ScoreHistogram, score_histogram
from .lesion import false_positive_components, lesion_detection, size_stratum


class CaseStatistics(NamedTuple):
    """Histogram and counts of one case; the counts' names are those that :mod:`.statistics` reads."""

    histogram: ScoreHistogram
    counts: Counter[str]


def case_statistics(
    anomaly_map: Tensor,
    mask: Tensor | None,
    pred: Tensor | None,
    *,
    case: str,
    size_edges: tuple[int, ...],
    detection_fraction: float,
) -> CaseStatistics:
    """Reduce one case to what the metrics need.

    Args:
        anomaly_map: ``(1, *spatial)`` finite scores, 2D or 3D.
        mask: ``(1, *spatial)`` 0/1 truth, or None for a normal image.
        pred: ``(1, *spatial)`` 0/1 predicted mask, or None.
        case: name of the case, for error messages.
        size_edges: lesion sizes (voxels) at which a new stratum starts.
        detection_fraction: share of a lesion that the mask must cover.

    Returns:
        Histogram (regions are the connected components of the truth) and counts.

    Raises:
        InputError: if the map is not finite or shapes or values do not fit.
    """
    if anomaly_map.ndim not in (3, 4) or anomaly_map.shape[0] != 1 or anomaly_map.numel() == 0:
        raise InputError(
            f"anomaly map of shape {tuple(anomaly_map.shape)}",
            where=case,
            expected="one channel and two or three spatial dimensions, (1, *spatial)",
            remedy="Pass the map of one case with its channel dimension.",
        )
    anomaly_map = anomaly_map.detach().as_subclass(Tensor)
    truth = None if mask is None else _check_binary(mask, anomaly_map, "mask", case)
    lesions = None if truth is None or not bool(truth.any()) else label_components(truth[0])
    regions = torch.zeros((), dtype=torch.uint8).expand(anomaly_map.shape[1:]) if lesions is None else lesions
    try:
        histogram = score_histogram(anomaly_map[0], regions)
    except ValueError as error:
        raise InputError(
            "NaN or infinite values in the anomaly map",
            where=case,
            expected="finite scores",
            remedy="Check the intensities of the image and the network's output.",
        ) from error
    counts = Counter(cases=1, voxels=anomaly_map.numel())
    counts["normal_cases" if lesions is None else "abnormal_cases"] = 1
    if lesions is not None:
        counts["lesions"] = int(lesions.max())
    if pred is not None:
        decided = _check_binary(pred, anomaly_map, "pred", case)
        counts.update(_mask_counts(decided[0], lesions, size_edges, detection_fraction))
    return CaseStatistics(histogram, counts)


def _mask_counts(pred: Tensor, lesions: Tensor | None, size_edges: tuple[int, ...], fraction: float) -> Counter[str]:
    inside = int(pred.count_nonzero())
    if lesions is None:
        components = int(label_components(pred).max()) if inside else 0
        return Counter(
            predicted_cases=1,
            false_positives=inside,
            false_positive_components=components,
            normal_voxels=pred.numel(),
            normal_voxels_in_mask=inside,
        )
    truth = lesions > 0
    abnormal = int(truth.count_nonzero())
    hit = int((truth & (pred.to(truth.device) != 0)).count_nonzero())
    counts = Counter(
        predicted_cases=1,
        true_positives=hit,
        false_positives=inside - hit,
        false_negatives=abnormal - hit,
        false_positive_components=false_positive_components(pred, truth) if inside else 0,
    )
    sizes, detected = lesion_detection(lesions, pred, fraction)
    strata = size_stratum(sizes, size_edges)
    for stratum, found in zip(strata.tolist(), detected.tolist(), strict=True):
        counts[f"lesions_{stratum}"] += 1
        counts[f"detected_{stratum}"] += int(found)
    return counts


def _check_binary(mask: Tensor, anomaly_map: Tensor, name: str, case: str) -> Tensor:
    plain = mask.detach().as_subclass(Tensor)
    if plain.shape != anomaly_map.shape:
        raise InputError(
            f"{name} of shape {tuple(plain.shape)}",
            where=case,
            expected=f"the shape of the anomaly map, {tuple(anomaly_map.shape)}",
            remedy="Bring map and masks to the grid of the file first.",
        )
    inside = plain != 0
    if plain.dtype != torch.bool and not bool((plain[inside] == 1).all()):
        raise InputError(
            f"{name} with values other than 0 and 1",
            where=case,
            expected="0 (normal) and 1 (abnormal)",
            remedy="Threshold it first.",
        )
    return inside
