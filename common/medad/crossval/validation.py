# SPDX-License-Identifier: Apache-2.0
"""Cross-validation: all folds of a bundle, one after the other, and their predictions pooled."""

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..calibration import Guarantee, data_hash, images_per_subject, normals_needed
from ..configuration import build, read_config, record_settings
from ..datalists import Splits, load_splits
from ..errors import InputError
from ..files import write_csv, write_json
from ..handlers import froc_table
from ..handlers.froc import CURVE_COLUMNS
from ..handlers.tables import FAILURE_COLUMNS
from ..keys import NORMAL, Keys
from ..report import CalibrationSummary, run_provenance, write_report
from .fold import Fold, Recipe, fold_columns
from .folds import make_folds
from .pooling import over_folds, pool, pooled_detections
from .standardization import STANDARDIZED, mean_and_std

_logger = logging.getLogger(__name__)

_FOLDERS = ("bundle_root", "dataset_dir", "output_dir", "ckpt_dir", "ckpt_path", "calibration_path")
_OWN_KEYS = (*_FOLDERS, "resume", "overwrite")


@dataclass(frozen=True)
class CrossValidation:
    """What a cross-validation found.

    Args:
        metrics: content of ``metrics.json``.
        failures: case and reason of the cases that could not be tested.
    """

    metrics: Mapping[str, Any]
    failures: Sequence[Mapping[str, str]]


def cross_validate(
    recipe: Recipe,
    dataset_dir: str | list[str] | dict[str, str],
    out: Path,
    folds: int = 5,
    seed: int = 0,
    validation_fraction: float = 0.2,
    tell: Callable[[str], None] = _logger.info,
) -> CrossValidation:
    """Test every case of a data set with a model that was trained and calibrated without its subject.

    Folds that an earlier call with the same settings has finished are kept.

    Args:
        recipe: bundle, overlays, stages and values; its key ``layout`` tells how to read ``dataset_dir``.
        dataset_dir: data set, or several, with the labels of all images; its own splits do not matter.
        out: folder for everything that is written.
        folds: number of folds.
        seed: of the folds and of every training.
        validation_fraction: see :func:`make_folds`.
        tell: gets a line before and after each fold.

    Returns:
        Pooled metrics, and the cases that are missing from them.

    Raises:
        MedadError: if the bundle, the data or a setting cannot be used, or the earlier call had other settings.
    """
    recipe = Recipe(recipe.bundle, recipe.overlays, recipe.stages, {**recipe.overrides, "seed": seed}, recipe.maps)
    rate, guarantee = _check(recipe)
    if not 0 < validation_fraction < 1:
        raise InputError(
            f"{validation_fraction:g} given",
            where="validation_fraction",
            expected="a share between 0 and 1",
            remedy="Leave it out for 0.2.",
        )
    layout = str(recipe.overrides.get("layout", "auto"))
    datasets = {name: _items(splits, name) for name, splits in load_splits(dataset_dir, layout).items()}
    divided = {
        name: make_folds(items, folds, seed, validation_fraction, name or str(dataset_dir))
        for name, items in datasets.items()
    }
    plan = [
        Fold(out / f"fold_{number + 1}", {name: parts[number] for name, parts in divided.items()})
        for number in range(folds)
    ]
    if rate is not None:
        _require_normals(plan, rate, guarantee)
    record_settings(out / "crossval.json", _settings(recipe, datasets, folds, validation_fraction))
    for number, fold in enumerate(plan, start=1):
        title = f"fold {number} of {folds}"
        if fold.is_finished(recipe.maps):
            tell(f"{title}: finished earlier")
            continue
        tell(f"{title}: {_counts(fold)}")
        started = time.perf_counter()
        fold.run(recipe)
        tell(f"{title}: done in {time.perf_counter() - started:.0f} s{_shown(fold.metrics())}")
    return _write_results(plan, recipe, out, seed, guarantee)


def _check(recipe: Recipe) -> tuple[float | None, Guarantee]:
    """Refuse what would fail only after hours; return rate, if a calibration makes decisions, and guarantee."""
    own = [key for key in _OWN_KEYS if key in recipe.overrides]
    if own:
        raise InputError(
            f"{own[0]} given",
            where="cross-validation",
            expected="keys of the method and its training",
            remedy="Leave it out: every fold has a folder, data and weights of its own.",
        )
    if "train" not in recipe.stages or len(set(recipe.stages)) < len(recipe.stages):
        raise InputError(
            f"{' '.join(recipe.stages) or 'nothing'} given",
            where="stages",
            expected="different names of trainings in their order, train among them",
            remedy="Such as --stage train, or --stage train_backbone train.",
        )
    for stage in recipe.stages:
        overlays = [*(() if stage == "train" else (stage,)), *recipe.overlays]
        config = read_config(recipe.bundle, "train", overlays, recipe.overrides)
    config = read_config(recipe.bundle, "train", ["evaluate", *recipe.overlays], recipe.overrides)
    guarantee = build(config, "guarantee")
    if guarantee not in list(Guarantee):
        raise InputError(
            f"{guarantee!r} given",
            where="guarantee",
            expected=" or ".join(Guarantee),
            remedy="Leave it out for the first of them.",
        )
    rate = None if build(config, "threshold") is not None else float(build(config, "image_false_positive_rate"))
    return rate, Guarantee(guarantee)


def _items(splits: Splits, name: str) -> list[dict[str, Any]]:
    """All cases of a data set but those for inference, which have no label."""
    if unlabeled := len(splits.get("inference", [])):
        _logger.info("%s%d images for inference are not used", f"{name}: " if name else "", unlabeled)
    return [item for split, items in splits.items() if split != "inference" for item in items]


def _require_normals(plan: Sequence[Fold], rate: float, guarantee: Guarantee) -> None:
    needed = normals_needed(rate)
    for fold in plan:
        for name, splits in fold.datasets.items():
            images = [item for item in splits["validation"] if item[Keys.LABEL] == NORMAL]
            normals = len(images if guarantee is Guarantee.IMAGE else images_per_subject(images))
            if normals < needed:
                raise InputError(
                    f"{normals} normal {guarantee.unit} for calibration{f' of {name}' if name else ''}",
                    where=fold.folder.name,
                    expected=f"at least {needed} for an image_false_positive_rate of {rate:g}",
                    remedy="Raise --validation_fraction or --image_false_positive_rate, or give more normal subjects.",
                )


def _settings(
    recipe: Recipe, datasets: Mapping[str, Sequence[Any]], folds: int, validation_fraction: float
) -> dict[str, Any]:
    configs = sorted((recipe.bundle / "configs").glob("*.json"))
    return {
        "bundle": str(recipe.bundle.resolve()),
        "config_sha256": hashlib.sha256(b"".join(path.read_bytes() for path in configs)).hexdigest(),
        "overlays": list(recipe.overlays),
        "stages": list(recipe.stages),
        "overrides": dict(recipe.overrides),
        "folds": folds,
        "validation_fraction": validation_fraction,
        "data_sha256": {name: data_hash(items) for name, items in datasets.items()},
    }


def _counts(fold: Fold) -> str:
    parts = []
    for split in ("training", "training_abnormal", "validation", "test"):
        items = [item for splits in fold.datasets.values() for item in splits[split]]
        parts.append(f"{len(items)} {split.replace('_', ' ')}")
    return ", ".join(parts)


def _shown(metrics: Mapping[str, Any]) -> str:
    value = metrics["image_auroc"]["value"]
    return "" if value is None else f", image AUROC {value:.3f}"


def _write_results(plan: Sequence[Fold], recipe: Recipe, out: Path, seed: int, guarantee: Guarantee) -> CrossValidation:
    singles = {fold.folder.name: fold.metrics() for fold in plan}
    states = [fold.states() for fold in plan]
    curve = froc_table(pooled_detections(states) or [])
    metrics = {
        **pool(states, seed=seed),
        "over_folds": over_folds(list(singles.values())),
        "folds": singles,
    }
    rows = [{**row, "fold": str(number)} for number, fold in enumerate(plan, start=1) for row in fold.rows()]
    failures = [failure for fold in plan for failure in fold.failures()]
    rows.sort(key=lambda row: row["case"])
    write_csv(out / "scores.csv", fold_columns(rows, "fold"), rows)
    write_csv(out / "failures.csv", FAILURE_COLUMNS, failures)
    write_json(out / "metrics.json", metrics)
    if "froc" in metrics:
        write_csv(out / "froc.csv", CURVE_COLUMNS, curve)
    write_report(
        out / "report.html",
        title="Cross-validation",
        cases=(),
        metrics=metrics,
        scores=[{**row, "score": row[f"{STANDARDIZED}_score"]} for row in rows],
        provenance=_provenance(recipe, len(plan), seed),
        calibration=_calibration(plan, guarantee),
        froc_curve=curve,
        failures=[(failure["case"], failure["failure"]) for failure in failures],
    )
    return CrossValidation(metrics, failures)


def _calibration(plan: Sequence[Fold], guarantee: Guarantee) -> CalibrationSummary:
    """Normal scores of all calibrations, each standardized by itself."""
    scores: list[float] = []
    for calibration in (fold.calibration for fold in plan):
        mean, std = mean_and_std(calibration)
        scores += [(score - mean) / std for score in calibration.scores]
    promise = "What the rate of decisions means is said by the report of each fold, whose calibration makes them."
    return CalibrationSummary(scores, promise=promise, p_value_is=guarantee.p_value_is)


def _provenance(recipe: Recipe, folds: int, seed: int) -> dict[str, object]:
    of_each = "of each fold: see its report"
    hashes = dict.fromkeys(("weights_sha256", "config_sha256", "calibration_sha256"), of_each)
    return {**run_provenance(recipe.bundle), "folds": folds, "seed": seed, **hashes}
