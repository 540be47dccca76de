# SPDX-License-Identifier: Apache-2.0
"""Measured DICOM values: from what is stored to the unit of the modality, by lookup table or slope and intercept."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dicom_fault import fault_of
from .dicom_table import apply_table


def as_measured(stored: NDArray[Any], header: Any, where: str) -> NDArray[np.floating[Any]]:
    """Apply the Modality LUT of a frame, else its rescale slope and intercept.

    Args:
        stored: stored values of a frame.
        header: its header.
        where: the file, named in errors.

    Returns:
        Array of the same shape.

    Raises:
        InputError: if the table is damaged, or slope and intercept give no values.

    References:
        DICOM PS3.3, C.11.1 (Modality LUT).
    """
    tables = header.get("ModalityLUTSequence")
    if not tables:
        slope, intercept = _rescale(header, where)
        return np.asarray(stored * slope + intercept)
    try:
        return apply_table(stored, tables[0], header)
    except Exception as error:  # a damaged header gives many kinds
        raise InputError(
            f"its Modality LUT cannot be applied ({fault_of(error)})",
            where=where,
            expected="a complete lookup table",
            remedy="Export the file again; its header is damaged.",
        ) from error


def _rescale(header: Any, where: str) -> tuple[float, float]:
    given = {"RescaleSlope": 1.0, "RescaleIntercept": 0.0}
    try:
        slope, intercept = (
            float(default if header.get(name) in (None, "") else header.get(name)) for name, default in given.items()
        )
    except (TypeError, ValueError):
        slope, intercept = math.nan, math.nan
    if not math.isfinite(slope * intercept) or slope == 0:
        raise InputError(
            "a rescale slope or intercept that is no finite number, or a slope of 0",
            where=where,
            expected="RescaleSlope and RescaleIntercept that give values",
            remedy="Export the file again; its header is damaged.",
        )
    return slope, intercept
