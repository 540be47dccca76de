# SPDX-License-Identifier: Apache-2.0
import torch
from medad.inferers import ReconstructionInferer
from monai.data import MetaTensor
from torch import nn


class Half(nn.Module):
    """Reconstructs half of the image."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 0.5 * x


def test_a_volume_equals_its_slices_one_by_one() -> None:
    conv = nn.Conv2d(1, 1, 3, padding=1)
    volume = torch.randn(2, 1, 8, 6, 7)
    inferer = ReconstructionInferer(2, slice_batch_size=3)
    with torch.no_grad():
        out = inferer(volume, conv)
        slices = torch.stack([inferer(volume[..., z], conv) for z in range(7)], dim=-1)
    torch.testing.assert_close(out, slices)


def test_metadata_survives() -> None:
    x = MetaTensor(torch.rand(1, 1, 4, 4), affine=torch.eye(4) * 2)
    out = ReconstructionInferer(2)(x, Half())
    assert isinstance(out, MetaTensor) and torch.equal(out.affine, x.affine)


def test_slices_know_their_place_in_their_volume() -> None:
    class Places(ReconstructionInferer):
        """Puts the number of a slice into its map."""

        def infer_slices(self, images: torch.Tensor, network: nn.Module, positions: torch.Tensor) -> torch.Tensor:
            return positions.float().reshape(-1, 1, 1, 1).expand(-1, 2, *images.shape[2:])

    found = Places(2, slice_batch_size=3)(torch.zeros(2, 1, 4, 5, 7), Half())
    assert torch.equal(found, torch.arange(7.0).expand(2, 2, 4, 5, 7))
