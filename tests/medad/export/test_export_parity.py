# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Any

import pytest
import torch
from medad.errors import InputError
from medad.export.parity import example_inputs, largest_difference, other_inputs, other_size, require_parity
from medad.export.torchscript import export_torchscript
from medad.networks import (
    Autoencoder,
    DenoisingUNet,
    DiffusionUNet,
)
from torch import Tensor, nn


def _autoencoder(spatial_dims: int) -> nn.Module:
    return Autoencoder(spatial_dims, 1, 1, (16,) * spatial_dims, channels=(4, 4), latent_size=3, hidden_size=8)


def _unet(spatial_dims: int) -> nn.Module:
    return DenoisingUNet(spatial_dims, 1, 1, channels=(8, 8))


def _diffusion(spatial_dims: int) -> nn.Module:
    network = DiffusionUNet(
        spatial_dims, 1, 1, channels=(8, 8), attention_levels=(False, True), num_res_blocks=1, norm_groups=4
    )
    for parameter in network.parameters():  # the last layers begin as zeros, and would hide the timestep
        nn.init.normal_(parameter, std=0.1)
    return network


class _Forgetful(nn.Module):
    """A network that cannot be scripted, and whose trace holds the number of images or the timestep."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def forward(self, image: Tensor, timesteps: Tensor | None = None, **kwargs: Any) -> Tensor:
        assert timesteps is not None
        number = int(timesteps[0]) if self.what == "timestep" else len(image)
        return image * float(number)


@pytest.mark.parametrize("what", ["timestep", "batch"])
def test_a_trace_that_holds_an_input_is_refused(what: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="TorchScript: the exported network differs by"):
        export_torchscript(_Forgetful(what), tmp_path / "model.ts", (1, 8, 8), {}, {})
    assert not list(tmp_path.iterdir())


def test_other_inputs_differ_in_everything_that_may_differ() -> None:
    network = _diffusion(2)
    first = example_inputs(network, (2, 1, 16, 16))
    others = list(other_inputs(network, (2, 1, 16, 16)))
    assert [tuple(image.shape) for image, _ in others] == [(1, 1, 16, 16), (3, 1, 16, 16), (1, 1, 8, 8)]
    assert all(int(first[1][0]) not in steps.tolist() for _, steps in others)
    assert len({int(step) for _, steps in [first, *others] for step in steps[:1]}) == 4
    assert other_size(_autoencoder(2).eval(), (2, 1, 16, 16)) is None
    assert other_size(_unet(2).eval(), (2, 1, 4, 4)) == (4, 8)


def test_a_difference_is_measured_in_ranges_of_the_output() -> None:
    image = torch.tensor([[[[0.0, 4.0]]]])
    assert largest_difference(nn.Identity(), lambda x: x + 0.5, (image,)) == pytest.approx(0.125)
    assert largest_difference(nn.Identity(), lambda x: x[..., :1], (image,)) == float("inf")
    with pytest.raises(InputError, match="differs by nan"):
        require_parity(nn.Identity(), lambda x: x * float("nan"), (2, 1, 8, 8), "ONNX")
