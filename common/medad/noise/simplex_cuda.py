# SPDX-License-Identifier: Apache-2.0
"""Fractal simplex noise on CUDA, from the same source, compiled for the device at run time by NVRTC.

The route is ``cuda.core``, NVIDIA's public Python interface: users need neither ``nvcc`` nor a C++ compiler, and
nothing depends on private parts of torch. The kernel works on torch's memory and current stream.
"""

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
# products and sums stay apart, as in torch
_OPTIONS: dict[str, Any] = {"std": "c++17", "fma": False, "ftz": False}
KERNELS = ("simplex_2_2", "simplex_2_3", "simplex_3_3", "simplex_3_4")
"""Entry points, named by spatial axes and coordinates."""


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
    fields = torch.empty(len(seeds), *sizes, dtype=torch.float32, device=device)
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
        launch(stream, config, kernels[f"simplex_{len(sizes)}_{lattice.dims}"], *pointers, *map(np.int32, counts))
    return fields


@functools.cache
def load(device: torch.device) -> dict[str, Any]:
    """Load the kernels for a device; compile them if this is the first time on this machine.

    Args:
        device: a CUDA device.

    Returns:
        ``cuda.core.Kernel`` by name.

    Raises:
        KernelUnavailableError: if ``cuda.core`` is missing, or the kernels cannot be compiled or loaded, as with a
            driver that is older than the compiler.
    """
    architecture = "sm_{}{}".format(*torch.cuda.get_device_capability(device))
    code = compiled(architecture).read_bytes()
    with torch.cuda.device(device):
        return kernels_of(code)


def kernels_of(code: bytes) -> dict[str, Any]:
    """Load machine code on the current device.

    Args:
        code: content of a ``cubin`` file.

    Returns:
        ``cuda.core.Kernel`` by name.

    Raises:
        KernelUnavailableError: if the driver refuses it.
    """
    from cuda.core import ObjectCode

    try:
        loaded = ObjectCode.from_cubin(code)
        return {name: loaded.get_kernel(name) for name in KERNELS}
    except Exception as error:
        # the binding has no common error class, and none may end an inference that torch can do, too
        raise KernelUnavailableError(f"the CUDA driver does not load the kernel: {error}") from error


def compiled(architecture: str) -> Path:
    """Give the file of the kernels' machine code; compile it by NVRTC if it is not there yet. Needs no device.

    Args:
        architecture: such as ``"sm_90"``.

    Returns:
        A ``cubin`` file.

    Raises:
        KernelUnavailableError: if ``cuda.core`` is missing or the compiler fails.
    """
    code = definitions() + source("simplex_cuda.cu")
    try:
        import cuda.core
        from cuda.bindings import nvrtc

        version = ".".join(map(str, nvrtc.nvrtcVersion()[1:]))
    except Exception as error:
        # a missing library shows as one of several classes, by the version of the binding
        raise KernelUnavailableError(
            f"no CUDA compiler ({error}); pip install cuda-core cuda-bindings nvidia-cuda-nvrtc"
        ) from error

    def build(path: Path) -> None:
        options = cuda.core.ProgramOptions(arch=architecture, **_OPTIONS)
        try:
            path.write_bytes(cuda.core.Program(code, code_type="c++", options=options).compile("cubin").code)
        except Exception as error:
            raise KernelUnavailableError(f"NVRTC {version} failed for {architecture}: {error}") from error

    depends_on = [code, architecture, version, cuda.core.__version__, repr(_OPTIONS)]
    return cached_kernel("simplex.cubin", depends_on, build)


@functools.cache
def _on_device(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Keep a few numbers on a device: to copy them for each call would wait for the device."""
    return torch.tensor(values, dtype=torch.float32, device=device)
