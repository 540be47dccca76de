# SPDX-License-Identifier: Apache-2.0
"""The configuration of a bundle, on a bundle of a few lines: overlays, overrides, misspelled keys."""

import json
from pathlib import Path
from typing import Any

import pytest
from medad.configuration import build, config_files, parse_value, read_config, split_overrides
from medad.errors import InputError
from medad.predict.__main__ import main, summary

BASE = {
    "bundle_root": ".",
    "size": 3,
    "batch_size": 2,
    "loss": {"_target_": "torch.nn.L1Loss", "reduction": "none"},
    "steps": [{"name": "first"}, {"name": "second"}],
    "path": "$@bundle_root + '/models'",
}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A bundle that has a base and an overlay."""
    configs = tmp_path / "tiny" / "configs"
    configs.mkdir(parents=True)
    for name, content in {"inference": BASE, "cpu": {"size": 5}, "train": {}, "metadata": {}}.items():
        (configs / f"{name}.json").write_text(json.dumps(content))
    return tmp_path / "tiny"


def test_base_overlay_override(tiny: Path, tmp_path: Path) -> None:
    own = tmp_path / "site.json"
    own.write_text('{"batch_size": 7}')
    config = read_config(tiny, "inference", ["cpu", own], {"loss#reduction": "sum", "steps::1::name": "last"})
    assert (build(config, "size"), build(config, "batch_size")) == (5, 7)
    assert build(config, "loss").reduction == "sum" and build(config, "loss") is build(config, "loss")
    assert build(config, "steps#1#name") == "last"
    assert build(config, "path") == f"{tiny}/models"
    assert config_files(tiny, "inference", ["cpu.json"]) == config_files(str(tiny), "inference", "cpu")


@pytest.mark.parametrize(
    ("key", "match"),
    [
        ("batchsize", "'batch_size' in place of 'batchsize'"),
        ("zzz", "one of bundle_root, size"),
        ("los#reduction", "'loss' in place of 'los'"),
        ("steps#0#nme", "'name' in place of 'nme'"),
        ("steps#7#name", "one of 0, 1"),
        ("size#deeper", "no key 'size#deeper'"),
        ("", "no key ''"),
    ],
)
def test_a_misspelled_key_is_an_error(tiny: Path, key: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        read_config(tiny, "inference", [], {key: 1})


def test_a_component_refuses_what_it_does_not_have(tiny: Path) -> None:
    with pytest.raises(InputError, match=r"loss cannot be built.*reduktion"):
        build(read_config(tiny, "inference", [], {"loss#reduktion": "sum"}), "loss")


def test_no_bundle_no_overlay_no_json(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no bundle there"):
        config_files(tmp_path, "inference")
    for name in ("gpu", "train", "metadata"):
        with pytest.raises(InputError, match=rf"no overlay '{name}'. Expected one of cpu, or"):
            config_files(tiny, "inference", [name])
    (tiny / "configs" / "cpu.json").write_text('{"size": ')
    with pytest.raises(InputError, match="cannot be put together"):
        read_config(tiny, "inference", ["cpu"], {})


def test_overrides_are_found_anywhere_in_the_command_line() -> None:
    own, overrides = split_overrides(
        ["--threshold", "-0.5", "in put", "--out=o", "--resume", "--amp=false", "--loss#reduction", "sum", "-h"],
        ["--out", "--resume"],
    )
    assert own == ["in put", "--out=o", "--resume", "-h"]
    assert overrides == {"threshold": -0.5, "amp": False, "loss#reduction": "sum"}
    with pytest.raises(InputError, match="--threshold: no value given"):
        split_overrides(["x", "--threshold"], [])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("True", True),
        ("null", None),
        ("None", None),
        ("[64, 64]", [64, 64]),
        ("(1, 2)", (1, 2)),
        ("1e-3", 1e-3),
        ("cuda:1", "cuda:1"),
        ("$@size + 1", "$@size + 1"),
        ("a b.png", "a b.png"),
        ("", ""),
    ],
)
def test_values(text: str, value: Any) -> None:
    assert parse_value(text) == value


def test_summary_counts(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("case,score,p_value,decision\na,1,.1,1\nb,1,.1,0\nc,1,.1,0\nd,1,,\n")
    (tmp_path / "failures.csv").write_text("case,failure\ne,broken\n")
    first, *rest = summary(tmp_path).splitlines()
    assert first == "5 cases: 1 abnormal, 2 normal, 1 without a decision, 1 failed (failures.csv)"
    assert str(tmp_path / "report.html") in rest[0]


def test_the_door_says_what_is_wrong_in_one_line(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"^error: .*'batch_size' in place of 'batchsize'"):
        main(["x.png", "--bundle", str(tiny), "--out", str(tmp_path), "--batchsize", "3"])
    with pytest.raises(SystemExit, match=r"^error: .*no bundle there"):
        main(["x.png", "--bundle", str(tmp_path), "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"^error: command line: --output_dir given. Expected --out"):
        main(["x.png", "--bundle", str(tiny), "--out", str(tmp_path), "--output_dir", "elsewhere"])
