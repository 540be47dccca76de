# SPDX-License-Identifier: Apache-2.0
"""No key that changes a map or a score can be changed without its calibration being refused."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bundle_tools import config_files
from monai.bundle import ConfigParser

MADE_OF = ("preprocessing", "inferer", "map_postprocessing", "network_def")
# they change where and how fast a score is computed, what a training does, or where weights come from
NO_EFFECT = {"allow_random_backbone", "backbone_sha256", "backbone_weights", "ckpt_dir", "device", "save_backbone"}
NO_EFFECT |= {"backbone_mean", "backbone_std", "neighbor_size"}  # model.pt has them, too
NO_EFFECT |= {"train_timesteps"}  # the highest level allowed
NO_EFFECT |= {"bundle_root", "perceptual_path"}  # of a file that does not exist
OTHER_WORDS = {
    "backbone_name": "resnet18",
    "feed_forward": "mlp",
    "guidance": "classifier_free",
    "mode": "ancestral",
    "noise_channels": "correlated",
    "prediction_type": "sample",
    "residual": "other",
    "score": "max",
    "sign": "dark",
    "slice_plane": "coronal",
    "stage": "cascade",
    "time_conditioning": "token",
}


def _parser(bundle: Path, **changes: Any) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config(config_files(bundle, "inference", "smoke"))
    steps = {"mode": "ddim"} if "mode" in parser else {}  # in which the number of steps counts
    parser.update({"bundle_root": str(bundle), **steps, **changes})
    return parser


def _others(key: str, value: Any, config: dict[str, Any]) -> Iterator[Any]:
    """Give values that differ, one of which can be built."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, float):
        yield from (value * 2, value / 2, 0.5)
    elif isinstance(value, int):
        yield from (value * 2, value + 1, value + 2, value - 2)
    elif isinstance(value, list):
        for first in _others(key, value[0], config):
            yield [first, *value[1:]]
            yield [first] * len(value)
    elif isinstance(value, str):
        yield "l1" if value == "l2" else "l2" if key == "residual" else OTHER_WORDS[key]
    else:
        yield from (1, [0.0, 1.0])


def _keys(config: dict[str, Any]) -> list[str]:
    """Keys that map and score are made of, through any number of references."""
    found: list[str] = []
    todo = list(MADE_OF)
    while todo:
        key = todo.pop()
        references = re.findall(r"@(?:displayable_configs::)?(\w+)", str(config[key]))
        new = [name for name in references if name not in found and name in config]
        found += new
        todo += new
    return sorted({key for key in found if not isinstance(config[key], dict)} - NO_EFFECT)


def test_every_key_that_makes_map_or_score_is_a_setting(bundle: Path) -> None:
    parser = _parser(bundle)
    settings = parser.get_parsed_content("calibration").settings
    keys = _keys(parser.config)
    assert {"image_size", "spatial_dims", "foreground_threshold"} & set(keys)
    for key in keys:
        value = parser.get_parsed_content(key)
        for other in _others(key, value, parser.config):
            if other == value:
                continue
            try:
                changed = _parser(bundle, **{key: other}).get_parsed_content("calibration").settings
            except Exception:  # this value does not fit the others; the next may
                continue
            assert changed != settings, f"{key}: {value} or {other}"
            break
        else:
            pytest.fail(f"{key}: no other value than {value} could be built")
