# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.inferers import ReconstructionInferer
from medad.losses import StructuralDissimilarity, dissimilarity_map
from torch import nn


class Half(nn.Module):
    """Reconstructs half of the image."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 0.5 * x


@pytest.mark.parametrize(("spatial_dims", "spatial"), [(2, (6, 5)), (3, (6, 5, 4))])
@pytest.mark.parametrize(("residual", "power"), [("l1", 1), ("l2", 2)])
def test_closed_form(spatial_dims: int, spatial: tuple[int, ...], residual: str, power: int) -> None:
    x = torch.randn(2, 3, *spatial)
    out = ReconstructionInferer(spatial_dims, residual)(x, Half())
    torch.testing.assert_close(out[:, :1], (0.5 * x).abs().pow(power).mean(1, keepdim=True))
    torch.testing.assert_close(out[:, 1:], 0.5 * x)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="spatial_dims"):
        ReconstructionInferer(4)
    with pytest.raises(ValueError, match="residual"):
        ReconstructionInferer(2, residual="l3")
    with pytest.raises(ValueError, match="slice_batch_size"):
        ReconstructionInferer(2, slice_batch_size=0)
    with pytest.raises(ValueError, match="spatial axes"):
        ReconstructionInferer(3)(torch.zeros(1, 1, 4, 4), Half())


def test_structure_as_a_residual() -> None:
    class Half(nn.Module):
        """Reconstructs half of the image."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 0.5 * x

    x = torch.rand(2, 1, 12, 12)
    out = ReconstructionInferer(2, StructuralDissimilarity(reduction="none"))(x, Half())
    torch.testing.assert_close(out[:, :1], dissimilarity_map(0.5 * x, x))
