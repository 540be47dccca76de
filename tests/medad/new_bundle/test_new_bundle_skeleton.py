# SPDX-License-Identifier: Apache-2.0
"""Merging of skeletons, and which parts of them a config gets, on small descriptions made by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
from medad.errors import InputError
from medad.new_bundle.skeleton import SKELETONS, bundle_configs, kinds, merge, read_method, to_text, write_configs


def _method(**changes: Any) -> dict[str, Any]:
    method = {
        "metadata": {"version": "0.1.0"},
        "values": {"data": {"size": 8, "unused": 1, "overlaid": 2}, "paths": {"device": "cpu"}},
        "displayable_configs": {"level": "@level"},
        "parts": {
            "inferer": {"_target_": "a.Inferer", "level": "@level", "noise": "@noise"},
            "noise": {"_target_": "a.Noise", "size": "@size"},
            "initialize": ["$seed()"],
        },
        "train.json": {"level": 5, "trainer": {"size": "@size", "device": "@device"}, "run": ["$@trainer.run()"]},
        "inference.json": {"run": ["$@inferer.run()"]},
        "overlays": {"cpu": {"size": 4, "unused": 3}, "evaluate": {"run": ["$@inferer.run(@overlaid)"]}},
    }
    method["values"]["data"]["level"] = 3
    return merge(method, changes)


def test_a_config_has_what_it_refers_to_each_after_what_it_needs() -> None:
    configs = bundle_configs(_method())
    assert list(configs["train"]) == [
        "imports", "size", "overlaid", "level", "device", "noise", "inferer", "trainer", "initialize", "run"
    ]  # fmt: skip
    # overlaid is asked for by an overlay on train.json alone
    assert list(configs["inference"]) == [
        "imports", "size", "level", "displayable_configs", "noise", "inferer", "initialize", "run"
    ]  # fmt: skip
    assert configs["train"]["level"] == 5 and configs["inference"]["level"] == 3


def test_inference_reads_what_clients_set() -> None:
    configs = bundle_configs(_method())
    assert configs["inference"]["inferer"]["level"] == "@displayable_configs#level"
    assert configs["inference"]["displayable_configs"] == {"level": "@level"}
    assert configs["train"]["inferer"]["level"] == "@level"


def test_an_overlay_sets_only_what_exists() -> None:
    assert bundle_configs(_method())["cpu"] == {"size": 4}


def test_an_overlay_that_is_null_is_left_out() -> None:
    configs = bundle_configs(_method(overlays={"evaluate": None}))
    assert "evaluate" not in configs and "overlaid" not in configs["train"] and "cpu" in configs


def test_arguments_belong_to_their_target() -> None:
    base = {"_target_": "a.Noise", "size": "@size", "scale": 1}
    assert merge(base, {"scale": 2}) == {"_target_": "a.Noise", "size": "@size", "scale": 2}
    assert merge(base, {"_target_": "a.Other", "scale": 2}) == {"_target_": "a.Other", "scale": 2}
    assert merge([1, 2], [3]) == [3] and merge({"a": 1}, None) is None


def test_lines_are_full_and_the_text_is_the_same_json() -> None:
    content = {"short": {"a": [1, 2]}, "long": {"name": "x" * 120, "list": [{"b": 1}]}, "none": None, "empty": {}}
    text = to_text(content)
    assert json.loads(text) == content and text.endswith("}\n")
    assert '    "short": {"a": [1, 2]},\n' in text and '        "list": [{"b": 1}]\n' in text
    assert max(len(line) for line in text.splitlines()) <= 140


def test_skeletons_are_in_their_usual_form() -> None:
    for path in SKELETONS.glob("*.json"):
        text = path.read_text("utf-8")
        assert text == to_text(json.loads(text)), f"{path.name}: run make bundles"


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_is_a_whole_bundle(kind: str) -> None:
    configs = bundle_configs(read_method(SKELETONS / f"{kind}.json"))
    assert {"metadata", "train", "inference", "evaluate", "calibrate", "volume_3d", "cpu", "smoke"} <= set(configs)


def test_a_config_of_somebody_is_not_deleted(tmp_path: Path) -> None:
    bundle = tmp_path / "mine"
    (bundle / "configs").mkdir(parents=True)
    (bundle / "configs" / "variant_old.json").write_text("{}")
    (bundle / "method.json").write_text(json.dumps({"like": kinds()[0]}))
    with pytest.raises(InputError, match=r"variant_old\.json not described in method\.json"):
        write_configs(bundle)
    (bundle / "configs" / "variant_old.json").unlink()
    written = write_configs(bundle)
    assert sorted(bundle.rglob("*.json")) == sorted(written)
    assert (bundle / "method.json").read_text() == to_text({"like": kinds()[0]})


@pytest.mark.parametrize("text", ["", "[]", '{"like": "nothing"}'])
def test_no_method_is_one_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "method.json").write_text(text)
    with pytest.raises(InputError, match="cannot be read"):
        read_method(tmp_path / "mine" / "method.json")


def test_a_bundle_may_be_like_its_neighbor(tmp_path: Path) -> None:
    one = {"like": kinds()[0], "values": {"method": {"x": 1}}, "metadata": {"eval_metrics": {"image_auroc": 0.9}}}
    for name, content in (("one", one), ("two", {"like": "one"})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "method.json").write_text(json.dumps(content))
    method = read_method(tmp_path / "two" / "method.json")
    assert method["values"]["method"]["x"] == 1 and method["metadata"]["eval_metrics"] == {}
