# SPDX-License-Identifier: Apache-2.0
"""DICOM acquisitions: several that take turns along the slices of one series are no volume, or at least named."""

import logging
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ..errors import InputError
from .dicom_frames import frame_headers

_logger = logging.getLogger(__name__)

_ACQUISITION = "AcquisitionNumber"
_TELLING = (
    *(_ACQUISITION, "TemporalPositionIdentifier", "EchoNumbers", "EchoTime", "InversionTime", "FlipAngle"),
    *("DiffusionBValue", "ConvolutionKernel"),
)
_OVERLAP = 0.75  # of the thickness of a slice


def require_one_acquisition(headers: Sequence[Any], step: float, where: str) -> None:
    """Check that slices do not come in turns from several acquisitions, echoes, time points or reconstructions.

    Two stacks that are shifted by half a slice look like one with half the distance. Slices that were acquired in turns
    and do not overlap, as an MR sequence may do it, are one volume.

    Args:
        headers: one per slice, in the order of the volume.
        step: distance between neighbors, in mm.
        where: the series, named in errors.

    Raises:
        InputError: if the slices of acquisitions overlap, or anything else takes turns.
    """
    for name in _TELLING:
        values = [str(header.get(name)) for header in headers]
        count, changes = len(set(values)), sum(first != second for first, second in pairwise(values))
        if changes < count:  # one, or one behind the other
            continue
        found = f"{count} values of {name} take turns along its slices"
        thickness = float(frame_headers(headers[0])[0].get("SliceThickness") or 0)
        if name == _ACQUISITION and step >= _OVERLAP * thickness:
            _logger.warning("%s: %s; as these do not overlap, they are taken as one volume", where, found)
            continue
        overlapping = (
            f", which lie {step:.3g} mm apart and are {thickness:.3g} mm thick" if name == _ACQUISITION else ""
        )
        raise InputError(
            f"a mixed series: {found}{overlapping}",
            where=where,
            expected="one acquisition",
            remedy="Separate them into series of their own.",
        )
