# SPDX-License-Identifier: Apache-2.0
"""Fractal simplex noise on CUDA, from the same source, compiled for the device at run time by NVRTC.

The route is ``cuda.core``, NVIDIA's public Python interface: users need neither ``nvcc`` nor a C++ compiler, and
nothing depends on private parts of torch. The kernel works on torch's memory and current stream.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .coordinates import AxisTable
from .kernel_cache import KernelUnavailableError, cached_kernel
from .kernels import definitions, source
from .lattice import Lattice

_BLOCK = 256


def simplex_fields(
    seeds: Tensor, axes: Sequence[AxisTable], times: AxisTable | None, amplitudes: Sequence[float], lattice: Lattice
) -> Tensor:
    """Sum the octaves of every field in one launch, without waiting for it.

    Args:
        seeds: ``int32`` seeds ``(F, octaves)`` on a CUDA device.
        axes: coordinates of the spatial axes, first axis first, on the same device.
        times: coordinates of the time axis, one column for each field; None if the field has no time.
        amplitudes: factor of each octave, the divisor of the lattice included.
        lattice: constants of the dimension.

    Returns:
        ``float32`` fields ``(F, *spatial)``.

    Raises:
        KernelUnavailableError: if ``cuda.core`` is missing or the kernel cannot be compiled.
    """
    device = seeds.device
    sizes = [table.whole.shape[1] for table in axes]
    fields = torch.empty(len(seeds), *sizes, device=device)
    if fields.numel() == 0:
        return fields
    kernels = load(device)
    from cuda.core import LaunchConfig, Stream, launch

    tables = [entry.contiguous() for table in (*axes, *([times] if times else [])) for entry in table]
    pointed = [fields, seeds.contiguous(), _on_device(tuple(amplitudes), device), *tables]
    pointers = [tensor.data_ptr() for tensor in pointed] + [0] * (len(AxisTable._fields) * 4 - len(tables))
    counts = [len(seeds), len(amplitudes), *sizes, *[1] * (3 - len(sizes))]
    config = LaunchConfig(grid=-(-fields.numel() // _BLOCK), block=_BLOCK)
    with torch.cuda.device(device):
        stream = Stream.from_handle(torch.cuda.current_stream(device).cuda_stream)
        kernel = kernels.get_kernel(f"simplex_{len(sizes)}_{lattice.dims}")
        launch(stream, config, kernel, *pointers, *map(np.int32, counts))
    return fields


@functools.cache
def load(device: torch.device) -> Any:
    """Load the kernels for a device; compile them if this is the first time on this machine.

    Args:
        device: a CUDA device.

    Returns:
        ``cuda.core.ObjectCode``.

    Raises:
        KernelUnavailableError: if ``cuda.core`` is missing or the kernels cannot be compiled.
    """
    architecture = "sm_{}{}".format(*torch.cuda.get_device_capability(device))
    from_file = compiled(architecture).read_bytes()
    from cuda.core import ObjectCode

    return ObjectCode.from_cubin(from_file)


def compiled(architecture: str) -> Path:
    """Give the file of the kernels' machine code; compile it by NVRTC if it is not there yet. Needs no device.

    Args:
        architecture: such as ``"sm_90"``.

    Returns:
        A ``cubin`` file.

    Raises:
        KernelUnavailableError: if ``cuda.core`` is missing or the compiler fails.
    """
    try:
        import cuda.core
    except ImportError as error:
        raise KernelUnavailableError(f"cuda.core cannot be imported ({error}); pip install 'medad[cuda]'") from error
    code = definitions() + source("simplex_cuda.cu")

    def build(path: Path) -> None:
        # products and sums stay apart, as in torch
        options = cuda.core.ProgramOptions(arch=architecture, std="c++17", fma=False, ftz=False)
        try:
            path.write_bytes(cuda.core.Program(code, code_type="c++", options=options).compile("cubin").code)
        except Exception as error:
            # the binding has no common error class, and none may end an inference that torch can do, too
            raise KernelUnavailableError(f"NVRTC failed for {architecture}: {error}") from error

    return cached_kernel("simplex.cubin", [code, architecture, cuda.core.__version__], build)


@functools.cache
def _on_device(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Keep a few numbers on a device: to copy them for each call would wait for the device."""
    return torch.tensor(values, dtype=torch.float32, device=device)
