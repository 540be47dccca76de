# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest
import torch
from ignite.engine import Events
from medad.engines import PrepareReconstruction
from medad.losses import CellCrossEntropy
from medad.networks import AnomalySegmentation, FeaturePyramid, FrozenFeatures
from medad.phantom import healthy_phantom
from medad.transforms import RandSyntheticAnomalyd
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedTrainer
from monai.networks.blocks import Convolution
from scipy.stats import mannwhitneyu
from torch import Tensor, nn
from torch.nn import functional as F


class _TwoLevels(nn.Module):
    """A pyramid of three convolutions; both levels are on the grid of the coarse one."""

    def __init__(self) -> None:
        super().__init__()
        self.spatial_dims, self.out_channels = 2, 48
        self.fine = Convolution(2, 1, 16, strides=2, norm="batch")
        self.coarse = nn.Sequential(Convolution(2, 16, 32, strides=2, norm="batch"), Convolution(2, 32, 32))

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(x)
        coarse = self.coarse(fine)
        return torch.cat([F.adaptive_avg_pool2d(fine, coarse.shape[2:]), coarse], dim=1)


def _pyramid(spatial_dims: int, in_channels: int = 1) -> FeaturePyramid:
    return FeaturePyramid(
        spatial_dims, in_channels, "resnet10", layers=(0, 1, 2), feature_size=(6, 5, 4)[:spatial_dims]
    )


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize("in_channels", [1, 3])
def test_every_level_gets_a_gradient(spatial_dims: int, in_channels: int) -> None:
    network = AnomalySegmentation(_pyramid(spatial_dims, in_channels))
    images = torch.rand(2, in_channels, *[32] * spatial_dims)
    logits = network(images)
    assert logits.shape == (2, 1, *(6, 5, 4)[:spatial_dims])
    CellCrossEntropy()(logits, (images[:, :1] > 0.9).float()).backward()
    head = network.head.weight.grad.flatten(1)
    levels = head.split([64, 64, 128], dim=1)
    norms = [float(level.norm() / len(level[0]) ** 0.5) for level in levels]
    assert 0.0 < max(norms) < 100 * min(norms), norms
    used = [name for name, value in network.features.backbone.named_parameters() if value.grad is not None]
    assert {name.partition(".")[0] for name in used} >= {"conv1", "layer1", "layer2"}


def test_levels_of_any_scale_count_the_same() -> None:
    class Scaled(_TwoLevels):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * torch.logspace(-3, 3, 48).view(1, -1, 1, 1)

    plain, scaled = AnomalySegmentation(_TwoLevels()), AnomalySegmentation(Scaled())  # type: ignore[arg-type]
    scaled.load_state_dict(plain.state_dict())
    for network in (plain, scaled):
        network.norm.eps = 1e-30
    images = torch.rand(4, 1, 32, 32)
    torch.testing.assert_close(scaled(images), plain(images), rtol=1e-3, atol=1e-4)


def test_the_trained_backbone_is_a_file_of_weights(tmp_path: Path) -> None:
    network = AnomalySegmentation(_pyramid(2))
    with torch.no_grad():
        for value in network.features.backbone.parameters():
            value.add_(0.01)
    torch.save(network.features.backbone.state_dict(), tmp_path / "backbone.pt")
    frozen = FrozenFeatures(2, 1, "resnet10", (0, 1, 2), (6, 5), weights=tmp_path / "backbone.pt")
    images = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(frozen(images), network.eval().features(images))


def _auroc(network: nn.Module, images: Tensor, masks: Tensor, foreground: Tensor) -> float:
    """Of cells that are mostly changed against cells inside the head without any change: air would be too easy."""
    with torch.no_grad():
        logits = network.eval()(images)
    share, inside = (F.adaptive_avg_pool2d(each, logits.shape[2:]) for each in (masks, foreground))
    changed, normal = logits[(inside > 0.5) & (share > 0.5)], logits[(inside > 0.5) & (share == 0)]
    assert len(changed) > 100 and len(normal) > 1000
    return float(mannwhitneyu(changed.numpy(), normal.numpy()).statistic) / (len(changed) * len(normal))


def test_a_backbone_learns_from_normal_images() -> None:
    """MONAI's trainer, as it is: the loss falls, and anomalies in heads never seen before are found."""
    heads = [torch.as_tensor(healthy_phantom(0, i, image_size=(32, 32)))[None].clamp(0, 1) for i in range(80)]
    cases = [{"image": head, "foreground": (head > 0.05).float()} for head in heads]
    draw = RandSyntheticAnomalyd("image", prob=0.8, size=(0.15, 0.8)).set_random_state(0)
    unseen = [draw(case) for case in 4 * cases[64:]]
    held_out = [torch.stack([case[key] for case in unseen]) for key in ("image", "target", "foreground")]
    network = AnomalySegmentation(_TwoLevels())  # type: ignore[arg-type]
    before = _auroc(network, *held_out)
    losses: list[float] = []
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=20,
        train_data_loader=DataLoader(Dataset(cases[:64], draw), batch_size=16, shuffle=True),
        network=network,
        optimizer=torch.optim.AdamW(network.parameters(), lr=1e-2),
        loss_function=CellCrossEntropy(),
        prepare_batch=PrepareReconstruction(spatial_dims=2),
        decollate=False,
    )
    completed = Events.ITERATION_COMPLETED
    trainer.add_event_handler(completed, lambda engine: losses.append(engine.state.output["loss"].item()))
    trainer.run()
    after = _auroc(network, *held_out)
    assert np.mean(losses[-20:]) < 0.85 * np.mean(losses[:10])
    assert after > 0.65 and after > before + 0.06
