# SPDX-License-Identifier: Apache-2.0
"""Diffusion on a CUDA device: the sampling loop never waits for it, and gives what the processor gives."""

from typing import Any

import pytest
import torch
from medad.inferers import (
    GuidedDDIMInferer,
    HarmonizedPartialDiffusionInferer,
    PartialDiffusionInferer,
    ReconstructionInferer,
)
from medad.networks import DiffusionClassifier, DiffusionUNet, GuidedDiffusion
from medad.noise import FractalSimplexNoise, GaussianNoise
from monai.networks.schedulers import DDPMScheduler
from torch import nn

pytestmark = pytest.mark.gpu
SCHEDULER = DDPMScheduler(num_train_timesteps=1000)
TINY: dict[str, Any] = {"channels": (8, 8), "attention_levels": (False, True), "num_res_blocks": 1, "norm_groups": 4}
INFERERS = [
    PartialDiffusionInferer(2, SCHEDULER, FractalSimplexNoise(2), (12,)),
    PartialDiffusionInferer(2, SCHEDULER, GaussianNoise(2), (12,)),
    PartialDiffusionInferer(2, SCHEDULER, FractalSimplexNoise(2), (200,), "ddim", steps=6),
    PartialDiffusionInferer(2, SCHEDULER, FractalSimplexNoise(2), (100, 500), "one_step"),
    HarmonizedPartialDiffusionInferer(
        2, SCHEDULER, GaussianNoise(2), (200,), (150, 100, 50), mask_kernel_size=3, mode="ddim", steps=6
    ),
    GuidedDDIMInferer(2, SCHEDULER, level=200, steps=6, guidance_scale=4.0),
]


def _network() -> nn.Module:
    torch.manual_seed(0)
    network = GuidedDiffusion(
        DiffusionUNet(2, 1, 1, num_heads=1, **TINY), DiffusionClassifier(spatial_dims=2, in_channels=1, **TINY)
    )
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network.eval()


@pytest.mark.parametrize("inferer", INFERERS, ids=lambda inferer: type(inferer).__name__)
@pytest.mark.parametrize("shape", [(2, 1, 16, 16), (1, 1, 16, 16, 3)], ids=["images", "slices"])
def test_nothing_waits_for_the_device(inferer: ReconstructionInferer, shape: tuple[int, ...]) -> None:
    images, network = torch.rand(shape), _network()
    with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        expected = inferer(images, network)
        on_device, network = images.cuda(), network.cuda()
        inferer(on_device, network)  # libraries and kernels are loaded by the first call
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            out = inferer(on_device, network)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(out.cpu(), expected, rtol=0, atol=1e-3)
