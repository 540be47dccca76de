# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
import torch
from medad.errors import InputError
from medad.export.onnx import export_onnx
from medad.networks import (
    OnnxNetwork,
)
from torch import Tensor, nn


class _Timed(nn.Module):
    """The smallest network that takes timesteps."""

    def forward(self, image: Tensor, timesteps: Tensor | None = None) -> Tensor:
        if timesteps is None:
            timesteps = torch.zeros(image.shape[0], dtype=torch.long)
        return image * (1 + timesteps).float().view(-1, 1, 1, 1)


def test_onnx_network_says_what_it_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"medad\.export --onnx"):
        OnnxNetwork(tmp_path / "model.onnx")
    path = tmp_path / "model.onnx"
    export_onnx(_Timed(), path, (1, 16, 16), {}, {})
    exported, image = OnnxNetwork(path), torch.rand(2, 1, 16, 16)
    torch.testing.assert_close(exported(image), image)  # no timesteps: zeros
    torch.testing.assert_close(exported(image, torch.tensor([0, 3])), image * torch.tensor([1.0, 4]).view(2, 1, 1, 1))
    with pytest.raises(InputError, match="gradient"):
        exported(image.requires_grad_())
