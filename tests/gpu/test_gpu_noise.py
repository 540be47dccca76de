# SPDX-License-Identifier: Apache-2.0
"""Noise on a CUDA device: the kernel gives what the processor gives, and nothing waits for it."""

import pytest
import torch
from medad.noise import FractalSimplexNoise, GaussianNoise, Noise, backend

pytestmark = pytest.mark.gpu
FORMS = [(2, True), (2, False), (3, True), (3, False)]
SHAPES = {2: (3, 2, 67, 85), 3: (2, 2, 21, 33, 29)}


@pytest.mark.parametrize("wanted", ["compiled", "torch"])
@pytest.mark.parametrize(("dims", "time_axis"), FORMS)
def test_device_and_processor_agree(dims: int, time_axis: bool, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDAD_NOISE_BACKEND", wanted)
    assert backend("cuda") == {"compiled": "cuda", "torch": "torch"}[wanted]
    noise, images = FractalSimplexNoise(dims, time_axis=time_axis), torch.zeros(SHAPES[dims])
    seeds = torch.arange(len(images)) + 3
    on_device = noise(images.cuda(), seeds.cuda(), seeds.cuda() * 40.0)
    torch.testing.assert_close(on_device.cpu(), noise(images, seeds, seeds * 40.0), rtol=0, atol=1e-4)


@pytest.mark.parametrize("wanted", ["compiled", "torch"])
@pytest.mark.parametrize("channels", ["independent", "correlated"])
def test_device_and_processor_agree_with_the_channel_as_coordinate(
    channels: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDAD_NOISE_BACKEND", wanted)
    noise, images, seeds = FractalSimplexNoise(2, dims=4, channels=channels), torch.zeros(3, 3, 37, 45), torch.arange(3)
    torch.testing.assert_close(noise(images.cuda(), seeds.cuda()).cpu(), noise(images, seeds), rtol=0, atol=1e-4)


@pytest.mark.parametrize("noise", [FractalSimplexNoise(2), FractalSimplexNoise(2, time_axis=False), GaussianNoise(2)])
def test_nothing_waits_for_the_device(noise: Noise) -> None:
    images, seeds = torch.zeros(4, 1, 64, 64, device="cuda"), torch.arange(4, device="cuda")
    noise(images, seeds)
    torch.cuda.set_sync_debug_mode("error")
    try:
        noise(images, seeds)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_other_stream() -> None:
    noise, images, seeds = FractalSimplexNoise(2), torch.zeros(2, 1, 128, 128, device="cuda"), torch.arange(2).cuda()
    expected = noise(images, seeds)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        field = noise(images, seeds)
    torch.cuda.current_stream().wait_stream(stream)
    assert torch.equal(field, expected)
