# SPDX-License-Identifier: Apache-2.0
import argparse
import json
from pathlib import Path

import pytest
from medad.bench.bundle import add_bundle_arguments, build, parameters, settings, write_phantoms
from medad.errors import InputError
from torch import nn


def test_settings_of_a_command_line() -> None:
    assert settings(["batch_size=4", "mode=one_step", "levels=[1, 2]", "path=a=b"]) == {
        "batch_size": 4,
        "mode": "one_step",
        "levels": [1, 2],
        "path": "a=b",
    }
    with pytest.raises(InputError, match="mode: no value given"):
        settings(["mode"])


def test_options_have_the_number_of_images_of_their_benchmark() -> None:
    parser = argparse.ArgumentParser()
    add_bundle_arguments(parser, images=7)
    options = parser.parse_args(["--bundle", "bundles/x", "--image-size", "32", "48"])
    assert (options.images, options.config) == (7, ["cpu"])
    assert (options.image_size, options.bundle) == ([32, 48], Path("bundles/x"))


def test_two_underscores_reach_into_a_nested_key(tmp_path: Path) -> None:
    configs = tmp_path / "configs"
    configs.mkdir()
    config = {"bundle_root": ".", "network": {"channels": 4}, "initialize": [], "run": [], "finalize": []}
    (configs / "train.json").write_text(json.dumps(config))
    (configs / "small.json").write_text('{"network": {"channels": 2}}')
    (configs / "metadata.json").write_text("{}")
    assert build(tmp_path, ["train", "small"]).parser.get_parsed_content("network#channels") == 2
    assert build(tmp_path, ["train", "small"], network__channels=8).parser.get_parsed_content("network#channels") == 8


def test_only_the_splits_that_are_asked_for_have_images(tmp_path: Path) -> None:
    write_phantoms(tmp_path, 2, (32, 32), seed=0, test=2)
    splits = json.loads((tmp_path / "datalist.json").read_text())
    assert {name: len(items) for name, items in splits.items() if isinstance(items, list) and items} == {"test": 2}


def test_parameters_are_counted() -> None:
    assert parameters(nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1, bias=False))) == 3 * 2 + 2 + 2
