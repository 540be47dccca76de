# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
from medad.configuration import build, config_files, is_overlay_of, read_config
from medad.errors import InputError


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


@pytest.mark.parametrize(
    ("base", "overlay", "fits"),
    [
        ("inference", "cpu", True),
        ("inference", "output_heatmap.json", True),
        ("inference", "train_few_labels", False),
        ("inference", "calibrate", False),
        ("train", "calibrate", True),
        ("train", "train_few_labels", True),
        ("train", "output_heatmap", False),
        ("train", "mine/output_heatmap.json", False),
        ("train", "mine/anything.json", True),
    ],
)
def test_overlays_fit_their_base(base: str, overlay: str, fits: bool) -> None:
    assert is_overlay_of(base, overlay) == fits
