# SPDX-License-Identifier: Apache-2.0
"""Spread builder: what the trained network leaves over in normal images, into the file of its weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from medad.engines import CohortError, SpreadBuilder
from medad.errors import InputError
from medad.inferers import ReconstructionInferer
from medad.loading import CaseDataset, CaseLoader
from medad.networks import NormativeSpread, place_network
from medad.transforms import SlicesOfVolume
from monai.data import MetaTensor
from ranks import on_ranks
from torch import Tensor, nn

VALUES = (0.5, 0.125, 0.25)


def _load(item: dict[str, Any]) -> dict[str, Any]:
    if item["value"] < 0:
        raise ValueError("broken")
    image = torch.full((1, *item["shape"]), item["value"])
    if image.ndim == 4:
        image[:, 0] = 0.0
    foreground = image > 0
    foreground[..., 3:] = False  # what is above a head
    return {**item, "image": MetaTensor(image), "foreground": foreground}


def _builder(
    folder: Path, values: tuple[float, ...] = VALUES, shape: tuple[int, ...] = (4, 4), group_size: int = 1
) -> SpreadBuilder:
    """A network whose file, not its memory, has the weights that halve: the residual is half the image."""
    if not (folder / "model.pt").exists():
        halving = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.constant_(halving.weight, 0.5)
        torch.save(halving.state_dict(), folder / "model.pt")
    items = [
        {"image": f"c{i}.png", "case": f"c{i}", "subject_id": f"s{i}", "value": value, "shape": shape}
        for i, value in enumerate(values)
    ]
    spread = NormativeSpread(2, 1, (4, 4), num_neighbors=1, feature_size=2, group_size=group_size)
    network = place_network(nn.Conv2d(1, 1, 1, bias=False), "cpu", spread=spread)
    loader = CaseLoader(CaseDataset(items, _load), 2, 2)
    return SpreadBuilder(loader, network, ReconstructionInferer(2), SlicesOfVolume(2), folder / "model.pt", "cpu")


def _state(folder: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(folder / "model.pt", weights_only=True)
    return state


def test_the_file_gets_the_residual_of_every_image_once(tmp_path: Path) -> None:
    for _ in range(2):  # an earlier run is replaced
        _builder(tmp_path).run()
        state = _state(tmp_path)
        assert float(state["weight"]) == 0.5
        assert state["normative_spread.means"].tolist() == [value / 2 for value in VALUES]
        torch.testing.assert_close(state["normative_spread.bank"][:, 0, 2, 2].tolist(), [v / 2 for v in VALUES])


def test_slices_of_a_volume_count_that_show_enough(tmp_path: Path) -> None:
    _builder(tmp_path, shape=(4, 4, 5)).run()
    assert len(_state(tmp_path)["normative_spread.bank"]) == 3 * 3


@pytest.mark.parametrize(("shape", "groups"), [((4, 4), 1), ((4, 4, 5), 3)])
def test_groups_have_one_slice_of_each_subject(tmp_path: Path, shape: tuple[int, ...], groups: int) -> None:
    _builder(tmp_path, shape=shape).run()
    mean = _state(tmp_path)["normative_spread.means"].mean()
    _builder(tmp_path, shape=shape, group_size=3).run()
    state = _state(tmp_path)
    # each mean has a slice of each subject, whose values tell them apart
    torch.testing.assert_close(state["normative_spread.means"], mean.expand(groups))


def test_too_few_subjects_are_told_before_the_pass(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"of 3 subjects.*at least 5"):
        _builder(tmp_path, values=(0.5, -1.0, 0.25), group_size=5).run()


def test_a_broken_image_stops_it_and_the_weights_stay(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="broken"):
        _builder(tmp_path, (0.5, -1.0)).run()
    assert set(_state(tmp_path)) == {"weight"}


def test_a_network_without_a_spread(tmp_path: Path) -> None:
    builder = _builder(tmp_path)
    with pytest.raises(ValueError, match="no normative spread to fill"):
        SpreadBuilder(
            builder.evaluator.data_loader,
            nn.Identity(),
            ReconstructionInferer(2),
            SlicesOfVolume(2),
            tmp_path / "model.pt",
            "cpu",
        )


@pytest.mark.slow
def test_two_ranks_give_what_one_does(tmp_path: Path) -> None:
    _builder(tmp_path)  # the weights
    done = on_ranks(lambda: _builder(tmp_path).run(), tmp_path / "log")
    assert not done.failed, done.said
    assert sorted(_state(tmp_path)["normative_spread.means"].tolist()) == sorted(value / 2 for value in VALUES)
