# SPDX-License-Identifier: Apache-2.0
"""Benchmark of voxel metrics: AUROC, AP, best Dice and FPR95 of one volume, against scikit-learn.

Scores are log-normal, ``exp(N(0, 1))`` for normal and ``exp(N(1.2, 1))`` for abnormal voxels, 1.5 % of them abnormal.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from monai.utils.module import optional_import
from torch import Tensor

from ..errors import MedadError
from ..metrics import auroc, average_precision, fpr_at_tpr, oracle_dice, score_histogram
from .timing import in_fresh_process, machine, median_seconds, peak_extra_memory

sklearn_metrics, _HAS_SKLEARN = optional_import("sklearn.metrics")

BRATS_SHAPE = (240, 240, 155)
PREVALENCE = 0.015


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--shape", type=int, nargs="+", default=list(BRATS_SHAPE), help="size of the volume")
    parser.add_argument("--repeats", type=int, default=5, help="measured calls; the median is written")
    parser.add_argument("--seed", type=int, default=0, help="seed of the scores")


def run(args: argparse.Namespace) -> list[dict[str, object]]:
    """Measure both implementations and return one row each.

    Args:
        args: options of :func:`add_arguments`.

    Returns:
        Rows of the table.

    Raises:
        MedadError: if scikit-learn is not installed.
    """
    if not _HAS_SKLEARN:
        raise MedadError("The metrics benchmark compares with scikit-learn. Install it: pip install scikit-learn")
    scores, mask = example(tuple(args.shape), args.seed)
    functions: dict[str, Callable[[Tensor, Tensor], dict[str, float]]] = {"medad": ours, "scikit-learn": theirs}
    exact = theirs(scores, mask) | exact_dice_and_fpr95(scores, mask)
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "example.npz"
        np.savez(path, scores=scores.numpy(), mask=mask.numpy())
        for name, function in functions.items():
            values = function(scores, mask)
            extra = in_fresh_process(_measure_memory, name, str(path))
            seconds = median_seconds(partial(function, scores, mask), args.repeats)
            errors = {f"error_{key}": abs(values[key] - exact[key]) if key in values else None for key in exact}
            rows.append(
                {
                    "benchmark": "metrics",
                    "implementation": name,
                    "metrics": " ".join(values),
                    "voxels": scores.numel(),
                    "seconds": round(seconds, 4),
                    "peak_extra_mb": None if extra is None else round(extra / 1e6, 1),
                    **{key: None if error is None else f"{error:.1e}" for key, error in errors.items()},
                    **machine(),
                }
            )
    for row in rows:
        row["speedup"] = round(_seconds(rows[-1]) / _seconds(row), 1)
    return rows


def example(shape: tuple[int, ...], seed: int) -> tuple[Tensor, Tensor]:
    """Draw float32 scores and a uint8 mask of the given shape."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(shape, generator=generator) < PREVALENCE
    scores = torch.randn(shape, generator=generator).add_(mask, alpha=1.2).exp_()
    return scores, mask.to(torch.uint8)


def ours(scores: Tensor, mask: Tensor) -> dict[str, float]:
    """Compute four metrics from one histogram."""
    histogram = score_histogram(scores, mask)
    counts = (histogram.negatives, histogram.positives)
    return {
        "auroc": float(auroc(*counts)),
        "ap": float(average_precision(*counts)),
        "oracle_dice": float(oracle_dice(*counts)[0]),
        "fpr95": float(fpr_at_tpr(*counts)),
    }


def theirs(scores: Tensor, mask: Tensor) -> dict[str, float]:
    """Compute two metrics with scikit-learn."""
    labels, values = mask.numpy().ravel(), scores.numpy().ravel()
    return {
        "auroc": float(sklearn_metrics.roc_auc_score(labels, values)),
        "ap": float(sklearn_metrics.average_precision_score(labels, values)),
    }


def exact_dice_and_fpr95(scores: Tensor, mask: Tensor) -> dict[str, float]:
    """Compute best Dice and FPR95 over all distinct thresholds by sorting."""
    ordered, order = scores.flatten().sort(descending=True)
    positive = mask.flatten()[order].cumsum(0).double()
    last = torch.cat([ordered[1:] != ordered[:-1], torch.tensor([True])])
    chosen, true_positives = torch.arange(1, len(ordered) + 1)[last], positive[last]
    dice = 2 * true_positives / (chosen + positive[-1])
    enough = true_positives / positive[-1] >= 0.95
    rates = (chosen - true_positives) / (len(ordered) - positive[-1])
    return {"oracle_dice": float(dice.max()), "fpr95": float(rates[enough].min())}


def _measure_memory(name: str, path: str) -> int | None:
    """Run in a fresh process: load the example, warm up on a corner, measure the rest."""
    with np.load(path) as file:
        scores, mask = torch.from_numpy(file["scores"]), torch.from_numpy(file["mask"])
    function = ours if name == "medad" else theirs
    function(*example((16, 16), 0))
    return peak_extra_memory(lambda: function(scores, mask))


def _seconds(row: dict[str, object]) -> float:
    return max(float(str(row["seconds"])), 1e-9)
