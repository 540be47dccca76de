# SPDX-License-Identifier: Apache-2.0
"""Back ends of the simplex noise: compiled for the processor, compiled for CUDA, or torch operations.

All forms give the same values; the compiled ones are ten times faster and more.
"""

import functools
import logging
import os
from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import InputError
from ..noise import simplex_cpp, simplex_cuda, simplex_torch
from .coordinates import AxisTable
from .kernel_cache import KernelUnavailableError
from .lattice import Lattice

VARIABLE = "MEDAD_NOISE_BACKEND"
"""Environment variable: ``auto`` (compiled where that is possible), ``compiled`` (or an error), ``torch``."""
_CHOICES = ("auto", "compiled", "torch")
FORMS = {"cpp": simplex_cpp, "cuda": simplex_cuda, "torch": simplex_torch}
"""Modules of the forms; each has ``simplex_fields``."""
_logger = logging.getLogger(__name__)


def backend(device: torch.device | str = "cpu") -> str:
    """Name the form of the simplex noise that runs on a device; builds it if this is the first time.

    Args:
        device: where the noise is drawn.

    Returns:
        ``"cpp"``, ``"cuda"`` or ``"torch"``.

    Raises:
        InputError: if the environment asks for a compiled form that cannot be had, or for an unknown one.

    Example:
        >>> backend("cpu") in ("cpp", "torch")
        True
    """
    return choose(torch.device(device), os.environ.get(VARIABLE) or "auto")


def simplex_fields(
    seeds: Tensor, axes: Sequence[AxisTable], times: AxisTable | None, amplitudes: Sequence[float], lattice: Lattice
) -> Tensor:
    """Sum the octaves of every field by the form that runs on the device of ``seeds``.

    Args and returned values are those of :func:`medad.noise.simplex_torch.simplex_fields`.
    """
    return FORMS[backend(seeds.device)].simplex_fields(seeds, axes, times, amplitudes, lattice)


@functools.cache
def choose(device: torch.device, wanted: str) -> str:
    """Decide once for each device and wish what :func:`backend` gives."""
    if wanted not in _CHOICES:
        raise InputError(
            f"{wanted!r} found", where=VARIABLE, expected=f"one of {', '.join(_CHOICES)}", remedy=f"Unset {VARIABLE}."
        )
    if wanted == "torch":
        return "torch"
    try:
        if device.type == "cpu":
            simplex_cpp.load()
            return "cpp"
        if device.type == "cuda":
            simplex_cuda.load(device)
            return "cuda"
        raise KernelUnavailableError(f"there is no kernel for devices of type {device.type}")
    except KernelUnavailableError as error:
        if wanted == "compiled":
            raise InputError(
                str(error),
                where=f"{VARIABLE}=compiled",
                expected="a noise kernel compiled for this device",
                remedy=f"Mend that, or set {VARIABLE} to auto.",
            ) from error
        _logger.warning("simplex noise runs in torch operations, with the same values but slower: %s", error)
        return "torch"
