# SPDX-License-Identifier: Apache-2.0
"""Fractal simplex noise by a library that is compiled for this processor when it is first needed.

Only a C++ compiler is needed: the library has a plain C interface and is loaded with ``ctypes``, so that it depends
neither on torch's headers nor on its version.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from .coordinates import AxisTable
from .kernel_cache import KernelUnavailableError, cached_kernel
from .kernels import definitions, source
from .lattice import Lattice

FLAGS = (
    "-O3",
    "-march=native",
    "-std=c++17",
    "-shared",
    "-fPIC",
    "-pthread",
    # products and sums stay apart, as in torch; errors of the mathematics library are not looked at
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
)
_COMPILERS = ("c++", "g++", "clang++")


class _Axis(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in AxisTable._fields]


def simplex_fields(
    seeds: Tensor, axes: Sequence[AxisTable], times: AxisTable | None, amplitudes: Sequence[float], lattice: Lattice
) -> Tensor:
    """Sum the octaves of every field with as many threads as torch uses.

    Args:
        seeds: ``int32`` seeds ``(F, octaves)`` on the CPU.
        axes: coordinates of the spatial axes, first axis first.
        times: coordinates of the time axis, one column for each field; None if the field has no time.
        amplitudes: factor of each octave, the divisor of the lattice included.
        lattice: constants of the dimension.

    Returns:
        ``float32`` fields ``(F, *spatial)``.

    Raises:
        KernelUnavailableError: if the library cannot be built.
    """
    sizes = [table.whole.shape[1] for table in axes]
    fields = torch.empty(len(seeds), *sizes)
    if fields.numel() == 0:
        return fields
    tables = [AxisTable(*(entry.contiguous() for entry in table)) for table in (*axes, *([times] if times else []))]
    pointers = (_Axis * len(tables))(*(_Axis(*(entry.data_ptr() for entry in table)) for table in tables))
    seeds = seeds.contiguous()
    status = load().simplex_fields(
        ctypes.c_void_p(fields.data_ptr()),
        ctypes.c_void_p(seeds.data_ptr()),
        pointers,
        (ctypes.c_float * len(amplitudes))(*amplitudes),
        len(seeds),
        len(amplitudes),
        (ctypes.c_int * len(sizes))(*sizes),
        len(sizes),
        lattice.dims,
        torch.get_num_threads(),
    )
    if status != 0:
        raise ValueError(f"fields with {len(sizes)} axes and {lattice.dims} coordinates: there is no such kernel.")
    return fields


@functools.cache
def load() -> ctypes.CDLL:
    """Load the library; build it if this is the first time on this machine.

    Raises:
        KernelUnavailableError: if there is no compiler, or it fails.
    """
    compiler = find_compiler()
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout
    depends_on = [source("simplex_cpu.cpp"), definitions(), *FLAGS, compiler, version, platform.machine(), processor()]
    path = cached_kernel("simplex.so", depends_on, functools.partial(build, compiler))
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise KernelUnavailableError(f"{path} cannot be loaded: {error}") from error


def find_compiler() -> str:
    """Give the C++ compiler: the one that ``CXX`` names, or one on the path.

    Raises:
        KernelUnavailableError: if there is none.
    """
    chosen = os.environ.get("CXX")
    for name in [chosen] if chosen else _COMPILERS:
        found = shutil.which(name)
        if found is not None:
            return found
    raise KernelUnavailableError(f"no C++ compiler was found (CXX={chosen or ''}; {', '.join(_COMPILERS)})")


def build(compiler: str, path: Path) -> None:
    """Compile the library.

    Args:
        compiler: program to call.
        path: file to write.

    Raises:
        KernelUnavailableError: if the compiler fails; the message has the end of what it printed.
    """
    code = definitions() + source("simplex_cpu.cpp")
    command = [compiler, *FLAGS, "-x", "c++", "-", "-o", str(path)]
    result = subprocess.run(command, input=code, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise KernelUnavailableError(f"{compiler} failed: {result.stderr.strip()[-500:]}")


def processor() -> str:
    """List the instructions that the processor has, where the system says it; else its name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
