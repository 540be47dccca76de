# SPDX-License-Identifier: Apache-2.0
import torch
from medad.losses import GuidedDiffusionLoss
from torch import nn


def test_sum_of_squared_error_and_cross_entropy() -> None:
    prediction, noise = torch.randn(2, 3, 1, 4, 4)
    logits, labels = torch.randn(3, 2), torch.tensor([0, 1, 1])
    found = GuidedDiffusionLoss()((prediction, logits), (noise, labels))
    surprise = -logits.log_softmax(1)[torch.arange(3), labels].mean()
    torch.testing.assert_close(found, (prediction - noise).square().mean() + surprise)
    torch.testing.assert_close(GuidedDiffusionLoss()((None, logits), (noise, labels)), surprise)


def test_one_training_by_the_sum_is_two_trainings() -> None:
    """Networks without common weights take the same steps of Adam together and alone."""

    def train(joint: bool) -> list[torch.Tensor]:
        torch.manual_seed(0)
        one, other = nn.Linear(4, 4), nn.Linear(4, 2)
        optimizers = (
            [torch.optim.AdamW([*one.parameters(), *other.parameters()], 0.1)]
            if joint
            else [torch.optim.AdamW(part.parameters(), 0.1) for part in (one, other)]
        )
        for _ in range(5):
            images, labels = torch.randn(3, 4), torch.randint(2, (3,))
            losses = [(one(images) - images).square().mean(), nn.functional.cross_entropy(other(images), labels)]
            if joint:
                losses = [GuidedDiffusionLoss()((one(images), other(images)), (images, labels))]
            for optimizer, loss in zip(optimizers, losses, strict=True):
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        return [*one.parameters(), *other.parameters()]

    for together, alone in zip(train(True), train(False), strict=True):
        torch.testing.assert_close(together, alone)
