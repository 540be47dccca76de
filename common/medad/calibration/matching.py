# SPDX-License-Identifier: Apache-2.0
"""Matching: the calibration that belongs to the weights and settings of a run, or none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import calibration_error
from ..networks.weights import weights_hash
from .calibration import Calibration
from .file import load_calibration
from .hashing import as_json_holds_it
from .settings import changed_settings

PathLike = str | Path

_SHOWN = 4
"""How many differences an error names."""


def calibration_of_weights(
    calibration_path: PathLike | None,
    weights_path: PathLike | None,
    settings: Mapping[str, Any] | None = None,
    otherwise: str = "give --threshold",
) -> Calibration:
    """Load a calibration and check that it was made with these weights, and with these settings of map and score.

    Cheap to call per image: file and hash are read again only when a file changes.

    Args:
        calibration_path: the JSON file.
        weights_path: the network's weights; ``None`` skips the check, for networks that never came from a file.
        settings: what else makes the map and the score, by name; ``None`` skips the check.
        otherwise: what the user can do instead of calibrating again; ends the error about other weights or settings.

    Returns:
        The calibration.

    Raises:
        CalibrationError: if there is none, it is broken, or it belongs to other weights or settings.
    """
    if calibration_path is None:
        raise calibration_error(
            "calibration_path",
            "no calibration named",
            "the path of calibration.json",
            "Set calibration_path, or give --threshold for a mask without a decision.",
        )
    calibration = load_calibration(calibration_path)
    if weights_path is not None and weights_hash(weights_path) != calibration.weights_sha256:
        raise calibration_error(
            calibration_path,
            f"calibration of other weights than {weights_path}",
            f"weights with the SHA-256 {calibration.weights_sha256[:12]}...",
            f"Run calibrate.json with these weights, or {otherwise}.",
        )
    if settings is not None:
        _require_same(settings, calibration, calibration_path, otherwise)
    return calibration


def _require_same(settings: Mapping[str, Any], calibration: Calibration, path: PathLike, otherwise: str) -> None:
    changed = changed_settings(as_json_holds_it(settings), calibration.settings)
    if changed:
        shown, more = changed[:_SHOWN], f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        raise calibration_error(
            path,
            f"calibration of another score, with {', '.join(f'{name} {then}' for name, _, then in shown)}{more}",
            f"one with {', '.join(f'{name} {now}' for name, now, _ in shown)}{more}, as this run has",
            f"Use the overlays of the calibration, run calibrate.json with these, or {otherwise}.",
        )
