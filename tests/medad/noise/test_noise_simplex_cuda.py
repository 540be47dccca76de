# SPDX-License-Identifier: Apache-2.0
import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from medad.noise import FractalSimplexNoise, backend, backends, simplex_cpp, simplex_cuda
from medad.noise.kernel_cache import KernelUnavailableError
from medad.noise.kernels import definitions, source
from torch import Tensor

FORMS = [(2, True), (2, False), (3, True), (3, False)]
SHAPES = {2: (3, 2, 37, 45), 3: (2, 2, 11, 19, 21)}
COMPILER = shutil.which("c++") or shutil.which("g++")


@pytest.fixture(autouse=True)
def fresh_choice(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Forget which form was chosen before, and afterwards which one a test has brought about."""
    monkeypatch.delenv("MEDAD_NOISE_BACKEND", raising=False)
    load = simplex_cpp.load
    backends.choose.cache_clear()
    load.cache_clear()
    yield monkeypatch
    backends.choose.cache_clear()
    load.cache_clear()


def _draw(dims: int, time_axis: bool) -> Tensor:
    noise = FractalSimplexNoise(dims, octaves=3, frequency=16.0, spacing=[0.5, 1.0, 2.0][:dims], time_axis=time_axis)
    shape = SHAPES[dims]
    return noise(
        torch.zeros(shape), torch.arange(shape[0]) + 7, torch.arange(shape[0]) * 40.0, origin=(-9, 5, 3)[:dims]
    )


# What a CUDA compiler has of its own, for a C++ compiler: threads run one after the other.
_SHIM = """
#define __CUDACC__
#define __device__
#define __global__
#define __forceinline__ inline
#include <cstring>
struct Index { unsigned int x; };
static Index blockIdx, threadIdx, blockDim = {32};
static unsigned int __float_as_uint(float value) { unsigned int bits; std::memcpy(&bits, &value, 4); return bits; }
static float __uint_as_float(unsigned int bits) { float value; std::memcpy(&value, &bits, 4); return value; }
extern "C" void set_thread(unsigned int block, unsigned int thread) { blockIdx.x = block; threadIdx.x = thread; }
"""


@pytest.fixture(scope="module")
def cuda_source_on_processor(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    if COMPILER is None:
        pytest.skip("no C++ compiler")
    path = tmp_path_factory.mktemp("cuda") / "simplex.so"
    loop = """
    #define RUN(S, D) extern "C" void run_##S##_##D(void** p, int* c) { \\
        long voxels = (long)c[2] * c[3] * c[4] * c[0]; \\
        for (long i = 0; i < voxels + 31; ++i) { set_thread(i / 32, i % 32); \\
            simplex_##S##_##D((float*)p[0], (unsigned*)p[1], (float*)p[2], \\
                (int*)p[3], (float*)p[4], (int*)p[5], (float*)p[6], (int*)p[7], (float*)p[8], (int*)p[9], \\
                (float*)p[10], (int*)p[11], (float*)p[12], (int*)p[13], (float*)p[14], (int*)p[15], (float*)p[16], \\
                (int*)p[17], (float*)p[18], c[0], c[1], c[2], c[3], c[4]); } }
    RUN(2, 2) RUN(2, 3) RUN(3, 3) RUN(3, 4)
    """
    code = _SHIM + definitions() + source("simplex_cuda.cu") + loop
    command = [COMPILER, "-O1", "-std=c++17", "-ffp-contract=off", "-shared", "-fPIC", "-x", "c++", "-", "-o", path]
    subprocess.run(command, input=code, text=True, check=True)
    return ctypes.CDLL(str(path))


@pytest.mark.parametrize(("dims", "time_axis"), FORMS)
def test_cuda_source_gives_the_same_on_a_processor(
    dims: int, time_axis: bool, cuda_source_on_processor: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as medad.noise.simplex_cuda launches it, thread by thread
    def simplex_fields(seeds, axes, times, amplitudes, lattice):
        sizes = [table.whole.shape[1] for table in axes]
        fields = torch.full((len(seeds), *sizes), torch.nan)
        tables = [entry.contiguous() for table in (*axes, *([times] if times else [])) for entry in table]
        factors = torch.tensor(amplitudes)
        pointers = [tensor.data_ptr() for tensor in (fields, seeds.contiguous(), factors, *tables)]
        pointers += [None] * (19 - len(pointers))
        counts = [len(seeds), len(amplitudes), *sizes, *[1] * (3 - len(sizes))]
        run = getattr(cuda_source_on_processor, f"run_{len(sizes)}_{lattice.dims}")
        run((ctypes.c_void_p * 19)(*pointers), (ctypes.c_int * 5)(*counts))
        return fields

    expected = _draw(dims, time_axis)
    cuda = ModuleType("cuda")
    cuda.simplex_fields = simplex_fields
    monkeypatch.setitem(backends.FORMS, backend("cpu"), cuda)
    assert torch.equal(_draw(dims, time_axis), expected)


@pytest.mark.parametrize("architecture", ["sm_75", "sm_80", "sm_90"])
def test_cuda_source_compiles(architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code = simplex_cuda.compiled(architecture).read_bytes()
    assert code.startswith(b"\x7fELF")
    for kernel in (b"simplex_2_2", b"simplex_2_3", b"simplex_3_3", b"simplex_3_4"):
        assert kernel in code


def test_cuda_source_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(KernelUnavailableError, match="sm_1"):
        simplex_cuda.compiled("sm_1")


def test_kernel_that_the_driver_refuses_is_told() -> None:
    with pytest.raises(KernelUnavailableError, match="CUDA driver"):
        simplex_cuda.kernels_of(b"no machine code")
