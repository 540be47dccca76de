# SPDX-License-Identifier: Apache-2.0
"""Fractal simplex noise in C++, compiled for this processor when it is first needed.

Only a C++ compiler is needed: the library has a plain C interface and is loaded with ``ctypes``, so that it depends
neither on torch's headers nor on its version.
"""

import ctypes
import functools
import os
import shlex
import shutil
import subprocess
import sys
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
_COMPILER_SECONDS = 300


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
    fields = torch.empty(len(seeds), *sizes, dtype=torch.float32, device=seeds.device)
    if fields.numel() == 0:
        return fields
    tables = [AxisTable(*(entry.contiguous() for entry in table)) for table in (*axes, *([times] if times else []))]
    pointers = (_Axis * len(tables))(*(_Axis(*(entry.data_ptr() for entry in table)) for table in tables))
    seeds = seeds.contiguous()
    threads = load().simplex_fields(
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
    if threads == 0:
        raise ValueError(f"fields with {len(sizes)} axes and {lattice.dims} coordinates: there is no such kernel.")
    return fields


@functools.cache
def load() -> ctypes.CDLL:
    """Load the library; build it if this is the first time on this machine.

    Its function returns the number of threads that worked, or 0 if there is no such form.

    Raises:
        KernelUnavailableError: if there is no compiler, or it fails.
    """
    if sys.platform == "win32":
        raise KernelUnavailableError("the C++ kernel is not made for Windows")
    code = definitions() + source("simplex_cpu.cpp")
    compiler = find_compiler()
    # what the compiler makes of this processor, with its own version
    macros = _run([*compiler, "-march=native", "-dM", "-E", "-x", "c++", os.devnull], "")
    path = cached_kernel("simplex.so", [code, *FLAGS, *compiler, macros], functools.partial(build, compiler, code))
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise KernelUnavailableError(f"{path} cannot be loaded: {error}") from error


def find_compiler() -> list[str]:
    """Give the command of the C++ compiler: the one in ``CXX``, or one on the path.

    Raises:
        KernelUnavailableError: if there is none.
    """
    chosen = os.environ.get("CXX")
    for command in [shlex.split(chosen)] if chosen else [[name] for name in _COMPILERS]:
        if shutil.which(command[0]) is not None:
            return command
    raise KernelUnavailableError(f"no C++ compiler was found ({chosen or ', '.join(_COMPILERS)})")


def build(compiler: Sequence[str], code: str, path: Path) -> None:
    """Compile the library.

    Args:
        compiler: command to call.
        code: what to compile.
        path: file to write.

    Raises:
        KernelUnavailableError: if the compiler fails; the message has the end of what it printed.
    """
    _run([*compiler, *FLAGS, "-x", "c++", "-", "-o", str(path)], code)


def _run(command: Sequence[str], text: str) -> str:
    try:
        result = subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, timeout=_COMPILER_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KernelUnavailableError(f"{command[0]} failed: {error}") from error
    if result.returncode != 0:
        raise KernelUnavailableError(f"{command[0]} failed: {result.stderr.strip()[-500:]}")
    return result.stdout
