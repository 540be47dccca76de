# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.diffusion import Schedule, add_noise, network_predictor
from monai.networks.schedulers import DDPMScheduler
from torch import Tensor, nn

SCHEDULE = Schedule(DDPMScheduler(num_train_timesteps=1000))


class _Says(nn.Module):
    """A network that always gives the same answer and remembers what it was asked."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer, self.timesteps = answer, torch.empty(0)

    def forward(self, x: Tensor, timesteps: Tensor) -> Tensor:
        self.timesteps = timesteps
        return self.answer


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
@pytest.mark.parametrize("spatial", [(4, 4), (4, 4, 4)])
@pytest.mark.parametrize("level", [1, 250, torch.tensor([3, 250])])
def test_whatever_the_network_predicts_image_and_noise_are_found(
    kind: str, spatial: tuple[int, ...], level: int | Tensor
) -> None:
    images = torch.rand(2, 1, *spatial, dtype=torch.float64) * 2 - 1
    noise = torch.randn_like(images)
    share = SCHEDULE.alpha_bar(level, images)
    answer = {"epsilon": noise, "sample": images, "v_prediction": share.sqrt() * noise - (1 - share).sqrt() * images}
    network = _Says(answer[kind])
    found = network_predictor(network, SCHEDULE, kind)(add_noise(SCHEDULE, images, noise, level), level)
    torch.testing.assert_close(found.clean, images, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found.noise, noise, rtol=1e-6, atol=1e-6)
    asked = level.tolist() if isinstance(level, Tensor) else [level] * 2
    assert network.timesteps.tolist() == [each - 1 for each in asked] and network.timesteps.dtype == torch.long


def test_the_noise_belongs_to_the_clamped_image() -> None:
    noisy = torch.randn(1, 1, 8, 8, dtype=torch.float64) * 2
    network = _Says(torch.randn_like(noisy))
    found = network_predictor(network, SCHEDULE, clip=(-0.5, 0.5))(noisy, 300)
    assert float(found.clean.abs().max()) == 0.5
    torch.testing.assert_close(add_noise(SCHEDULE, *found, 300), noisy)
    assert not torch.allclose(found.noise, network.answer)
    free = network_predictor(network, SCHEDULE, clip=None)(noisy, 300)
    torch.testing.assert_close(free.noise, network.answer)


def test_answers_of_mixed_precision_are_taken_up_in_full() -> None:
    noisy = torch.randn(1, 1, 4, 4)
    found = network_predictor(_Says(torch.randn(1, 1, 4, 4).bfloat16()), SCHEDULE)(noisy, 300)
    assert found.clean.dtype == found.noise.dtype == torch.float32


def test_another_prediction_is_refused() -> None:
    with pytest.raises(ValueError, match="x0"):
        network_predictor(nn.Identity(), SCHEDULE, "x0")
