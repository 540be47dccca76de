# SPDX-License-Identifier: Apache-2.0
"""The compiled forms of the simplex noise give what the torch form gives, and their absence is told."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from medad.errors import InputError
from medad.noise import FractalSimplexNoise, backend, backends, simplex_cpp
from torch import Tensor

FORMS = [(2, True), (2, False), (3, True), (3, False)]
SHAPES = {2: (3, 2, 37, 45), 3: (2, 2, 11, 19, 21)}
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


def _draw(dims: int, time_axis: bool) -> Tensor:
    noise = FractalSimplexNoise(dims, octaves=3, frequency=16.0, spacing=[0.5, 1.0, 2.0][:dims], time_axis=time_axis)
    shape = SHAPES[dims]
    return noise(
        torch.zeros(shape), torch.arange(shape[0]) + 7, torch.arange(shape[0]) * 40.0, origin=(-9, 5, 3)[:dims]
    )


@needs_compiler
@pytest.mark.parametrize(("dims", "time_axis"), FORMS)
def test_processor_and_torch_agree(dims: int, time_axis: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDAD_NOISE_BACKEND", "compiled")
    assert backend("cpu") == "cpp"
    compiled = _draw(dims, time_axis)
    monkeypatch.setenv("MEDAD_NOISE_BACKEND", "torch")
    assert backend("cpu") == "torch"
    assert torch.equal(compiled, _draw(dims, time_axis))


@needs_compiler
@pytest.mark.parametrize("channels", ["independent", "correlated"])
def test_channels_as_coordinate_agree(channels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noise, seeds = FractalSimplexNoise(2, octaves=3, frequency=16.0, dims=4, channels=channels), torch.arange(3)
    fields = []
    for form in ("compiled", "torch"):
        monkeypatch.setenv("MEDAD_NOISE_BACKEND", form)
        fields.append(noise(torch.zeros(3, 3, 37, 45), seeds, seeds * 40.0))
    assert torch.equal(*fields)


@pytest.mark.parametrize("compiler", ["a-compiler-that-is-not-there", "false", "/dev/null"])
def test_without_a_compiler_torch_runs(
    compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = _draw(2, True)
    backends.choose.cache_clear()
    simplex_cpp.load.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CXX", compiler)
    with caplog.at_level(logging.WARNING, logger="medad"):
        assert backend("cpu") == "torch"
        assert torch.equal(_draw(2, True), expected)
    assert len(caplog.records) == 1
    assert compiler in caplog.text
    assert not list(tmp_path.rglob("*.so"))
    monkeypatch.setenv("MEDAD_NOISE_BACKEND", "compiled")
    with pytest.raises(InputError, match="MEDAD_NOISE_BACKEND"):
        backend("cpu")


def test_unknown_choice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDAD_NOISE_BACKEND", "fastest")
    with pytest.raises(InputError, match="auto, compiled, torch"):
        backend("cpu")


def test_other_devices_take_torch(caplog: pytest.LogCaptureFixture) -> None:
    assert backend("meta") == "torch"
    assert "meta" in caplog.text
