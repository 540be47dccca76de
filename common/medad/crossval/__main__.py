# SPDX-License-Identifier: Apache-2.0
"""Cross-validate a bundle by subject: train, calibrate and test it once per fold, and pool the predictions."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..command_line import door, door_parser, parse_with_keys
from ..configuration import parse_paths
from ..files import user_path
from .fold import Recipe
from .validation import CrossValidation, cross_validate

_SHOWN = ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap", "dice", "false_positive_rate", "lesion_sensitivity")


def summary(metrics: Mapping[str, Any]) -> str:
    """Write the metrics to see first: pooled with interval, and mean and standard deviation over the folds.

    Args:
        metrics: content of ``metrics.json``.

    Returns:
        A line for each.
    """
    lines = [f"{'':22s} pooled, 95 % interval      mean and sd of folds"]
    for name in _SHOWN:
        pooled, single = metrics[name], metrics["over_folds"][name]
        if pooled["value"] is None:
            lines.append(f"{name:22s} not defined: {pooled['reason']}")
            continue
        interval = "no interval" if pooled["low"] is None else f"{pooled['low']:.3f} to {pooled['high']:.3f}"
        spread = "" if single["sd"] is None else f"{single['mean']:.3f} ± {single['sd']:.3f}"
        lines.append(f"{name:22s} {pooled['value']:.3f} ({interval})".ljust(51) + spread)
    found = metrics.get("froc", {}).get("mean_sensitivity", {"value": None})
    if found["value"] is not None:
        interval = "no interval" if found["low"] is None else f"{found['low']:.3f} to {found['high']:.3f}"
        lines.append(f"{'mean_sensitivity':22s} {found['value']:.3f} ({interval}), 1/8 to 8 false positives per image")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    keys = "train.json, such as --max_epochs 50; the same command continues an interrupted run"
    parser = door_parser("crossval", __doc__, keys)
    parser.add_argument("--bundle", type=Path, required=True, help="folder of a bundle")
    parser.add_argument(
        "--dataset_dir", required=True, type=parse_paths, help="labeled data set; its splits are joined"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for everything that is written")
    parser.add_argument("--folds", type=int, default=5, help="number of folds")
    parser.add_argument("--overlay", action="append", default=[], help="overlay, such as cpu; repeatable")
    parser.add_argument(
        "--stage", nargs="+", default=["train"], help="trainings of a fold in their order, such as train_backbone train"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the folds and of every training")
    parser.add_argument(
        "--validation_fraction", type=float, default=0.2, help="share of the subjects not tested that calibrates"
    )
    parser.add_argument("--without_maps", action="store_true", help="do not write maps and masks")
    return parser


def run(arguments: Sequence[str] | None = None) -> CrossValidation:
    """Run a command line.

    Args:
        arguments: options, and ``--KEY VALUE`` for keys of train.json; those of the process by default.

    Returns:
        What was found.

    Raises:
        MedadError: if the command line, the bundle or the data cannot be used.
    """
    given, overrides = parse_with_keys(_parser(), arguments)
    recipe = Recipe(user_path(given.bundle), given.overlay, given.stage, overrides, maps=not given.without_maps)
    found = cross_validate(
        recipe,
        given.dataset_dir,
        given.out,
        given.folds,
        given.seed,
        given.validation_fraction,
        tell=lambda line: print(line, flush=True),
    )
    print(f"\n{summary(found.metrics)}\n\nReport: {(given.out / 'report.html').resolve()}")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the door.

    Args:
        arguments: the command line; that of the process by default.
    """
    with door():
        found = run(arguments)
    if found.failures:
        sys.exit(f"error: {len(found.failures)} cases failed and are in no number above; see failures.csv.")


if __name__ == "__main__":
    main()
