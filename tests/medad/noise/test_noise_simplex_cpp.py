# SPDX-License-Identifier: Apache-2.0
import shutil
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
from medad.noise import FractalSimplexNoise, backends, simplex_cpp

COMPILER = shutil.which("c++") or shutil.which("g++")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")


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


@needs_compiler
@pytest.mark.parametrize("threads", [1, 3, 64])
def test_threads_share_one_image_and_change_nothing(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # AnoDDPM fault F7: a parallel loop whose range was wrong, and slow serial fields
    noise, images, seeds = FractalSimplexNoise(2), torch.zeros(1, 1, 128, 128), torch.tensor([1])
    expected = noise(images, seeds)
    library, worked = simplex_cpp.load(), []
    counting = SimpleNamespace(simplex_fields=lambda *args: worked.append(library.simplex_fields(*args)) or worked[-1])
    monkeypatch.setattr(simplex_cpp, "load", lambda: counting)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert torch.equal(noise(images, seeds), expected)
    assert worked == [min(threads, 12)]


@needs_compiler
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_default_type_and_device_of_torch_change_nothing(dtype: torch.dtype) -> None:
    images, index = torch.zeros(2, 1, 24, 24), torch.arange(2)
    noise, before = FractalSimplexNoise(2), torch.get_default_dtype()
    expected = noise(images, index)
    torch.set_default_dtype(dtype)
    try:
        assert torch.equal(noise(images, index), expected)
    finally:
        torch.set_default_dtype(before)
    with torch.device("meta"):
        assert torch.equal(noise(images, index), expected)
