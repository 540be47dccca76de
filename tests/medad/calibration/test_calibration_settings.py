# SPDX-License-Identifier: Apache-2.0
"""Settings of a score: whatever an object is made with is in them, and nothing else is."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from medad.anomaly_map import AnomalyScored, MedianSmoothMapd, to_file_grid
from medad.calibration import score_settings
from medad.calibration.settings import changed_settings
from medad.inferers import PartialDiffusionInferer, ReconstructionInferer
from medad.noise import FractalSimplexNoise
from medad.transforms import FitToGridd, ForegroundMaskd, LoadImageFiled
from monai.inferers import Inferer
from monai.networks.nets import BasicUNet
from monai.networks.schedulers import DDPMScheduler
from monai.transforms import Compose, MapTransform, ScaleIntensityd, Transform
from torch import nn

NETWORK = nn.Identity()


def _settings(
    size: int = 32,
    scale: float = 1.0,
    kernel: int = 3,
    inferer: Inferer | None = None,
    network: nn.Module = NETWORK,
    further: Sequence[Any] = (),
) -> dict[str, Any]:
    preprocessing = Compose(
        [FitToGridd("image", (size, size)), ForegroundMaskd(2), ScaleIntensityd("image", maxv=scale), *further]
    )
    steps = [MedianSmoothMapd(2, kernel_size=kernel), AnomalyScored("max"), to_file_grid(preprocessing)]
    return score_settings(preprocessing, inferer or ReconstructionInferer(2, "l1"), steps, network)


def _diffusion(beta_end: float = 0.02, persistence: float = 0.8, **options: Any) -> PartialDiffusionInferer:
    scheduler = DDPMScheduler(num_train_timesteps=10, beta_end=beta_end)
    noise = FractalSimplexNoise(2, octaves=2, persistence=persistence, frequency=8.0)
    return PartialDiffusionInferer(2, scheduler, noise, start_levels=[5], **options)


def test_equal_objects_have_equal_settings_that_a_file_keeps() -> None:
    first, second = _settings(inferer=_diffusion()), _settings(inferer=_diffusion())
    assert first == second == json.loads(json.dumps(first))
    assert changed_settings(first, second) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"size": 64}, "preprocessing FitToGridd"),
        ({"scale": 2.0}, "preprocessing ScaleIntensityd"),  # MONAI keeps it in a part of its own
        ({"kernel": 5}, "map_postprocessing MedianSmoothMapd kernel_size"),
        ({"inferer": ReconstructionInferer(2, "l2")}, "inferer ReconstructionInferer residual"),
        ({"further": [ForegroundMaskd(2, threshold=0.3)]}, "preprocessing ForegroundMaskd"),
        ({"network": nn.Softplus(beta=2.0)}, "network"),
    ],
)
def test_each_change_is_named(change: dict[str, Any], name: str) -> None:
    changed = [found for found, _, _ in changed_settings(_settings(**change), _settings())]
    assert changed and any(found.startswith(name) for found in changed), changed


@pytest.mark.parametrize(
    "options", [{"beta_end": 0.05}, {"persistence": 0.5}, {"seed": 3}, {"repeats": 2}, {"mode": "one_step"}]
)
def test_parts_of_parts_count(options: dict[str, Any]) -> None:
    changed = changed_settings(_settings(inferer=_diffusion(**options)), _settings(inferer=_diffusion()))
    assert changed and all(name.startswith("inferer PartialDiffusionInferer") for name, _, _ in changed)


def test_what_changes_no_score_is_left_out() -> None:
    assert _settings(inferer=ReconstructionInferer(2, "l1", slice_batch_size=4)) == _settings()


def test_arguments_of_a_network_that_its_weights_do_not_show_count() -> None:
    def attention(heads: int, **options: Any) -> nn.Module:
        return nn.Sequential(nn.MultiheadAttention(8, heads, **options))

    shapes = [{name: value.shape for name, value in attention(heads).state_dict().items()} for heads in (2, 4)]
    assert shapes[0] == shapes[1]
    assert _settings(network=attention(2)) != _settings(network=attention(4))
    assert _settings(network=attention(2)) == _settings(network=attention(2))


def test_training_and_weights_of_a_network_do_not_count() -> None:
    class Switched(nn.Module):
        def __init__(self, train_second: bool) -> None:
            super().__init__()
            self.second = nn.Linear(2, 2)
            self.train_second = train_second

    assert _settings(network=Switched(True).train()) == _settings(network=Switched(False).eval())


def test_an_exported_network_cannot_be_configured() -> None:
    """Its settings are compared without the network, in both directions."""
    network = BasicUNet(2, features=(2, 2, 2, 2, 2, 2)).eval()
    exported = torch.jit.trace(network, torch.zeros(1, 1, 32, 32))
    assert changed_settings(_settings(network=exported), _settings(network=network)) == []
    assert changed_settings(_settings(network=network), _settings(network=exported)) == []
    assert changed_settings(_settings(network=exported, size=64), _settings(network=network)) != []


def test_a_host_may_read_the_images_itself() -> None:
    own = Compose([LoadImageFiled("image", display=True), ForegroundMaskd(2)])
    settings = [
        score_settings(each, ReconstructionInferer(2), [], NETWORK) for each in (own, Compose(own.transforms[1:]))
    ]
    assert changed_settings(*settings) == changed_settings(*settings[::-1]) == []


def test_how_a_file_is_read_counts_where_both_say_it() -> None:
    stored, displayed = (
        score_settings(Compose([LoadImageFiled("image", display=each)]), ReconstructionInferer(2), [], NETWORK)
        for each in (False, True)
    )
    assert changed_settings(displayed, stored) == [("reading LoadImageFiled display", True, False)]
    assert displayed == json.loads(json.dumps(displayed))


def test_the_order_of_the_steps_counts() -> None:
    steps = [MedianSmoothMapd(2, kernel_size=3), AnomalyScored("max")]
    first, second = (
        score_settings(Compose([]), ReconstructionInferer(2), each, NETWORK) for each in (steps, steps[::-1])
    )
    names = ["AnomalyScored", "MedianSmoothMapd"]
    assert changed_settings(first, second) == [("map_postprocessing in the order", names[::-1], names)]


def test_settings_of_an_earlier_version_are_others() -> None:
    assert changed_settings(_settings(), {"image_size": [32, 32], "inferer": "ReconstructionInferer(residual='l1')"})


def test_one_forgotten_argument_among_others_is_refused() -> None:
    class Half(Transform):
        def __init__(self, keys: str, strength: float) -> None:
            self.keys = keys
            self._hidden = strength

        def __call__(self, data: Any) -> Any:
            return data

    with pytest.raises(TypeError, match="Half does not keep strength"):
        _settings(further=[Half("image", 0.5)])


def test_what_every_transform_has_is_no_argument_of_this_one() -> None:
    class Gained(MapTransform):
        def __init__(self, keys: str, strength: float) -> None:
            super().__init__(keys)
            self._hidden = strength

        def __call__(self, data: Any) -> Any:
            return data

    with pytest.raises(TypeError, match="Gained does not keep strength"):
        _settings(further=[Gained("image", 0.5)])


def test_an_object_that_keeps_nothing_is_refused() -> None:
    class Forgetful(Transform):
        def __init__(self, strength: float) -> None:
            pass

        def __call__(self, data: Any) -> Any:
            return data

    with pytest.raises(TypeError, match="Forgetful does not keep strength"):
        _settings(further=[Forgetful(0.5)])


def test_whatever_an_argument_is_called_it_counts() -> None:
    class Random(Transform):
        def __init__(self, seed: int, device: str = "cpu") -> None:
            self.seed = seed
            self.device = device

        def __call__(self, data: Any) -> Any:
            return data

    changed = changed_settings(_settings(further=[Random(1)]), _settings(further=[Random(2)]))
    assert changed == [("preprocessing Random seed", 1, 2)]
    assert _settings(further=[Random(1, "cuda")]) == _settings(further=[Random(1)])  # where it is computed does not
