# SPDX-License-Identifier: Apache-2.0
"""Partial diffusion on a CUDA device: no host synchronization inside, and the map of the processor."""

from __future__ import annotations

import pytest
import torch
from medad.inferers import PartialDiffusionInferer
from medad.networks import DiffusionUNet
from medad.noise import FractalSimplexNoise
from monai.networks.schedulers import DDPMScheduler

pytestmark = pytest.mark.gpu


def _network() -> DiffusionUNet:
    torch.manual_seed(0)
    return DiffusionUNet(
        2, 1, 1, channels=[8, 16], attention_levels=[False, True], num_res_blocks=1, norm_groups=4
    ).eval()


@pytest.mark.parametrize("mode", ["ancestral", "ddim", "one_step"])
def test_maps_agree_and_nothing_waits(mode: str) -> None:
    inferer = PartialDiffusionInferer(2, DDPMScheduler(1000), FractalSimplexNoise(2), [20], mode, steps=5)
    images, network = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1)), _network()
    with torch.no_grad():
        expected = inferer(images, network)
        on_device, network = images.cuda(), network.cuda()
        inferer(on_device, network)
        torch.cuda.set_sync_debug_mode("error")
        try:
            result = inferer(on_device, network)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(result.cpu(), expected, rtol=0, atol=1e-2)
