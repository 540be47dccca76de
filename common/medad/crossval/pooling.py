# SPDX-License-Identifier: Apache-2.0
"""Pooling: metrics over the predictions of all folds together, and over the folds one by one."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from ..metrics import AnomalyMetrics, DetectionRecord, summarize_froc
from .standardization import P_VALUE, RAW, STANDARDIZED

IMAGE_RANKING = ("image_auroc", "image_ap")
MAP_RANKING = ("pixel_auroc", "pixel_ap", "fpr95", "oracle_dice", "oracle_threshold", "aupro")


def pool(states: Sequence[Mapping[str, Any]], bootstrap: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Compute the metrics of the predictions of all folds together, with intervals over all subjects.

    Args:
        states: what :meth:`FoldResults.states` gave in each fold.
        bootstrap: resamples of the subject-level bootstrap.
        seed: seed of the bootstrap.

    Returns:
        All metrics of :class:`medad.metrics.AnomalyMetrics`, and ``"froc"`` where cases carry detections, from
        standardized scores and maps; those that depend on the scale once more under ``"raw"``, from raw scores and
        maps, and those of images under ``"p_value"``, from 1 - p.

    Raises:
        InputError: if a case is in two folds.
    """
    found = {
        scale: AnomalyMetrics.merge([state[scale] for state in states]).compute(bootstrap=bootstrap, seed=seed)
        for scale in (STANDARDIZED, RAW, P_VALUE)
    }
    froc = {
        scale: {"froc": summarize_froc(records, bootstrap=bootstrap, seed=seed)}
        for scale in (STANDARDIZED, RAW)
        if (records := pooled_detections(states, scale)) is not None
    }
    return {
        **found[STANDARDIZED],
        **froc.get(STANDARDIZED, {}),
        RAW: {**{name: found[RAW][name] for name in (*IMAGE_RANKING, *MAP_RANKING)}, **froc.get(RAW, {})},
        P_VALUE: {name: found[P_VALUE][name] for name in IMAGE_RANKING},
    }


def pooled_detections(states: Sequence[Mapping[str, Any]], scale: str = STANDARDIZED) -> list[DetectionRecord] | None:
    """Join the detections of all folds.

    Args:
        states: what :meth:`FoldResults.states` gave in each fold.
        scale: ``"standardized"`` or ``"raw"``.

    Returns:
        Records of all images, or ``None`` where no case carries detections.
    """
    if not any(state["detections"] for state in states):
        return None
    return [DetectionRecord(*record) for state in states for record in state["detections"].get(scale, [])]


def over_folds(folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Average the metrics of single folds.

    The folds share training subjects, so their spread is no standard error of the mean.

    Args:
        folds: content of ``metrics.json`` of each fold.

    Returns:
        For each metric that is one number ``{"mean", "sd", "folds"}`` over the folds in which it is defined; ``sd`` is
        the sample standard deviation, ``None`` with fewer than 2 such folds, and so is ``mean`` with none.
    """
    names = [name for name, entry in folds[0].items() if isinstance(entry, Mapping) and "value" in entry]
    result = {}
    for name in names:
        values = [float(fold[name]["value"]) for fold in folds if fold[name]["value"] is not None]
        result[name] = {
            "mean": statistics.fmean(values) if values else None,
            "sd": statistics.stdev(values) if len(values) > 1 else None,
            "folds": len(values),
        }
    return result
