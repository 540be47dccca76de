# SPDX-License-Identifier: Apache-2.0
"""Overlays, targets and metadata of a release."""

import copy

import pytest
from medad.errors import InputError
from medad.export.configs import RELEASE_CODE, bake, inside_the_bundle


def test_later_overlays_win_and_new_keys_come_last() -> None:
    config = {"a": 1, "b": {"c": 2}, "d": 3}
    baked = bake(config, {"one.json": {"b": 4, "e": 5}, "two.json": {"b": 6}})
    assert list(baked.items()) == [("a", 1), ("b", 6), ("d", 3), ("e", 5)]
    assert config == {"a": 1, "b": {"c": 2}, "d": 3}


@pytest.mark.parametrize("key", ["train#trainer#max_epochs", "train::trainer", "+handlers"])
def test_keys_that_reach_into_others_are_refused(key: str) -> None:
    with pytest.raises(InputError, match=r"evaluate\.json.*reaches into a nested one"):
        bake({"train": {}}, {"evaluate.json": {key: 1}})


def test_every_target_of_the_package_is_found_inside() -> None:
    config = {
        "imports": ["$import torch"],
        "medad.a": "medad.b",
        "network_def": {"_target_": "medad.networks.X", "loss": {"_target_": "torch.nn.MSELoss"}},
        "steps": [{"_target_": "medad.y"}, [{"_target_": "$@name"}], "medad.z"],
        "initialize": [{"_target_": "medad.errors.plain_errors"}],
        "run": ["$@evaluator.run()"],
    }
    before = copy.deepcopy(config)
    assert inside_the_bundle(config) == {
        "imports": ["$import torch", "$import runpy"],
        "medad.a": "medad.b",
        "network_def": {"_target_": "scripts.medad.networks.X", "loss": {"_target_": "torch.nn.MSELoss"}},
        "steps": [{"_target_": "scripts.medad.y"}, [{"_target_": "$@name"}], "medad.z"],
        "initialize": [RELEASE_CODE, {"_target_": "scripts.medad.errors.plain_errors"}],
        "run": [RELEASE_CODE, "$@evaluator.run()"],
    }
    assert config == before
    assert inside_the_bundle({"spatial_dims": 3}) == {"spatial_dims": 3}
