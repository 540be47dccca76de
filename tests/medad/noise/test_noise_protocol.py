# SPDX-License-Identifier: Apache-2.0
"""Every noise that diffusion takes keeps the same promises."""

import pytest
import torch
from medad.noise import CoarseNoise, FractalSimplexNoise, GaussianNoise, Noise

NOISES = [
    kind(dims, **options)
    for dims in (2, 3)
    for kind, options in (
        (GaussianNoise, {}),
        (FractalSimplexNoise, {"octaves": 2, "frequency": 8.0}),
        (FractalSimplexNoise, {"octaves": 2, "frequency": 8.0, "time_axis": False}),
    )
]


@pytest.mark.parametrize("noise", NOISES, ids=repr)
def test_a_field_depends_on_seed_channel_time_and_place_alone(noise: Noise) -> None:
    assert isinstance(noise, Noise)
    size = (12, 9, 7)[: noise.spatial_dims]
    images, seeds, times = torch.zeros(2, 3, *size), torch.tensor([5, 6]), torch.tensor([0.0, 4.0])
    fields = noise(images, seeds, times)
    assert fields.shape == images.shape and fields.dtype == images.dtype
    assert torch.equal(noise(torch.rand(2, 3, *size), seeds, times), fields)
    assert torch.equal(noise(images[1:], seeds[1:], times[1:]), fields[1:])
    assert torch.equal(noise(images[:, :2], seeds, times), fields[:, :2])
    assert torch.equal(noise(images, seeds), noise(images, seeds, torch.zeros(2)))
    corner = tuple(slice(2, n) for n in size)
    inner = torch.zeros(2, 3, *(n - 2 for n in size))
    assert torch.equal(noise(inner, seeds, times, origin=(2,) * noise.spatial_dims), fields[(..., *corner)])
    for other in (noise(images, seeds + 1, times), noise(images, seeds, times + 300.0), fields.roll(1, 1)):
        assert not torch.isclose(other, fields).all(dim=tuple(range(2, fields.ndim))).any()


def test_noise_of_a_training_alone_is_none_of_them() -> None:
    assert not isinstance(torch.nn.Identity(), Noise)
    with pytest.raises(TypeError, match="times"):
        CoarseNoise(2)(torch.zeros(1, 1, 4, 4), torch.tensor([1]), times=None)  # type: ignore[call-arg]
