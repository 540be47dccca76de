# SPDX-License-Identifier: Apache-2.0
"""A bundle is data: names, files, targets, metadata, and configs that agree."""

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from bundle_tools import BUNDLES
from medad.new_bundle import bundle_configs, read_method
from medad.new_bundle.skeleton import to_text
from monai.bundle import ConfigParser

SCHEMA = Path(__file__).resolve().parents[1] / "golden" / "meta_schema_20240725.json"
FILES = [
    "LICENSE",
    "method.json",
    "docs/README.md",
    "docs/data_license.txt",
    "configs/logging.conf",
    "configs/metadata.json",
    "configs/train.json",
    "configs/inference.json",
    "configs/evaluate.json",
    "configs/calibrate.json",
    "configs/output_heatmap.json",
    "configs/output_bins.json",
    "configs/inference_ts.json",
    "configs/multi_gpu_train.json",
    "configs/multi_gpu_evaluate.json",
    "configs/volume_3d.json",
    "configs/cpu.json",
    "configs/smoke.json",
]
SHARED_KEYS = [
    "bundle_root",
    "dataset_dir",
    "output_dir",
    "ckpt_path",
    "calibration_path",
    "device",
    "seed",
    "spatial_dims",
    "in_channels",
    "image_size",
    "batch_size",
    "num_workers",
    "network_def",
    "network",
    "inferer",
    "calibration",
    "preprocessing",
    "postprocessing",
    "image_false_positive_rate",
    "guarantee",
    "voxel_false_positive_rate",
    "threshold",
    "resume",
]
TRAIN_KEYS = ["ckpt_dir", "max_epochs", "val_interval"]
GRADIENT_KEYS = ["amp", "learning_rate"]
"""Keys of a training that has an optimizer."""
AGREE = ["network_def", "spatial_dims", "in_channels", "image_size", "preprocessing", "inferer", "calibration"]
AGREE += ["map_postprocessing", "mask_postprocessing"]


def _config(bundle: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((bundle / "configs" / f"{name}.json").read_text("utf-8"))
    return content


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _strings(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, key)
    elif isinstance(value, str):
        yield key, value


def _is_module(path: str) -> bool:
    try:
        return importlib.util.find_spec(path) is not None
    except ModuleNotFoundError:  # it belongs to a module, not to a package
        return False


def test_what_is_saved_is_not_what_several_gpus_wrap(bundle: Path) -> None:
    """``DistributedDataParallel`` puts ``module.`` in front of every name, and weights would fit nowhere."""
    handlers = json.loads((bundle / "configs" / "train.json").read_text("utf-8"))["train"]["handlers"]
    saved = [handler["model"] for handler in handlers if handler["_target_"] == "medad.handlers.TrainingRun"]
    wrapped = json.loads((bundle / "configs" / "multi_gpu_train.json").read_text("utf-8"))["network"]
    assert len(saved) == 1
    if wrapped == "$@network_def.to(@device)":  # nothing has a gradient: nothing is wrapped
        assert "optimizer" not in _config(bundle, "train")
    else:
        assert wrapped["_target_"].endswith("DistributedDataParallel") and saved != ["@network"]


def test_name_does_not_mislead_monai_label(bundle: Path) -> None:
    assert re.fullmatch(r"[a-z0-9_]+", bundle.name)
    assert not [word for word in ("detection", "classification", "deepedit", "deepgrow") if word in bundle.name]


def test_files_are_there_and_none_is_python(bundle: Path) -> None:
    assert not [name for name in FILES if not (bundle / name).is_file()]
    assert not list(bundle.rglob("*.py")) and not (bundle / "scripts").exists()


def test_targets_and_expressions(bundle: Path) -> None:
    packages = {"medad", "monai", "torch", "ignite", "copy"}
    for path in sorted((bundle / "configs").glob("*.json")):
        if path.stem == "metadata":
            continue
        for key, text in _strings(json.loads(path.read_text("utf-8"))):
            where = f"{path.name}: {text}"
            if key == "_target_":
                assert "." not in text or text.split(".")[0] in packages, where
                # Python 3.12 finds the module where module and function share a path
                assert "." not in text or not _is_module(text), where
                continue
            assert "%" not in text and "glob" not in text and "scripts." not in text, where
            assert not text.startswith("/"), where
            assert "medad" not in text, f"{where}: medad occurs as the start of a literal _target_ only"
            assert not text.startswith("$") or len(text) <= 110, f"{where}: too long an expression"


def test_metadata_fits_the_schema(bundle: Path) -> None:
    metadata = _config(bundle, "metadata")
    jsonschema.validate(metadata, json.loads(SCHEMA.read_text("utf-8")))
    assert metadata["version"] in metadata["changelog"]
    assert metadata["supported_apps"] == {}
    assert "research" in metadata["intended_use"].lower()
    required = metadata["required_packages_version"]
    assert {"medad", "pytorch-ignite", "nibabel", "itk"} <= set(required)
    form = metadata["network_data_format"]
    assert next(iter(form["inputs"])) == "image" and next(iter(form["outputs"])) == "pred"
    for outputs in (form["outputs"], form["post_processed_outputs"]):
        assert outputs["pred"]["channel_def"] == {"0": "background", "1": "anomaly"}
    assert {"pred", "anomaly_map"} <= set(form["post_processed_outputs"])


def test_pinned_versions_are_the_tested_ones(bundle: Path) -> None:
    lines = (bundle.parents[1] / "requirements.txt").read_text("utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    metadata = _config(bundle, "metadata")
    assert metadata["monai_version"] == pinned["monai"]
    assert metadata["pytorch_version"] == pinned["torch"]
    assert metadata["numpy_version"] == pinned["numpy"]
    for name, version in metadata["required_packages_version"].items():
        if name != "medad":
            assert pinned[name] == version, name


@pytest.mark.parametrize("name", ["train", "inference"])
def test_base_configs_are_complete_alone(bundle: Path, name: str) -> None:
    config = _config(bundle, name)
    asked = SHARED_KEYS + {"train": TRAIN_KEYS, "inference": ["amp"]}[name]
    asked += GRADIENT_KEYS if "optimizer" in config else []
    assert not [key for key in asked if key not in config]
    assert config["bundle_root"] == "."
    known = set(_identifiers(config))
    for _, text in _strings(config):
        for reference in re.findall(r"@([A-Za-z_][\w#:]*)", text):
            assert reference.replace("::", "#").split("#")[0] in config, f"{name}.json: @{reference}"
            assert reference.replace("::", "#") in known, f"{name}.json: @{reference}"


def _identifiers(value: Any, prefix: str = "") -> Iterator[str]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        name = f"{prefix}#{key}" if prefix else str(key)
        yield name
        yield from _identifiers(item, name)


def test_overlays_override_what_is_there(bundle: Path) -> None:
    base = {"output_heatmap": "inference", "output_bins": "inference", "inference_ts": "inference"}
    both = ("volume_3d", "cpu", "smoke", "demo", "head_mri", "normative_spread", "shared_bank")
    for path in sorted((bundle / "configs").glob("*.json")):
        if path.stem in ("metadata", "train", "inference") or path.stem.startswith("train_"):
            continue
        overlay = _config(bundle, path.stem)
        if path.stem in both or path.stem.startswith("variant_"):
            assert not [key for key in overlay if "#" in key], f"{path.name}: top-level keys only"
        if path.stem in both:
            unknown = [key for key in overlay if key not in _config(bundle, "train")]
            assert not unknown, f"{path.name}: {unknown}"
        elif path.stem in ("evaluate", "calibrate", "calibrate_spread", "multi_gpu_train", "multi_gpu_evaluate"):
            known = {*_identifiers(_config(bundle, "train")), "finalize", "train#sampler", "train#dataloader#sampler"}
            unknown = set(overlay) - known
            assert not unknown, f"{path.name}: nothing to override at {unknown}"
        elif path.stem in base:
            assert not set(overlay) - set(_identifiers(_config(bundle, base[path.stem]))), path.name


def test_no_overlay_reaches_into_a_list(bundle: Path) -> None:
    """A place in a list is another one as soon as a handler or a transform is added."""
    for path in sorted((bundle / "configs").glob("*.json")):
        places = [key for key in _config(bundle, path.stem) if re.search(r"handlers#\d", key)]
        assert not places, f"{path.name}: {places}"


def test_configs_are_what_the_method_says(bundle: Path) -> None:
    expected = {name: to_text(config) for name, config in bundle_configs(read_method(bundle / "method.json")).items()}
    found = {path.stem: path.read_text("utf-8") for path in (bundle / "configs").glob("*.json")}
    assert sorted(found) == sorted(expected)
    assert not [name for name in found if found[name] != expected[name]], "run make bundles"
    method = (bundle / "method.json").read_text("utf-8")
    assert method == to_text(json.loads(method)), "run make bundles"


def test_inference_from_torchscript_is_the_same_everywhere(bundle: Path) -> None:
    first = BUNDLES[0] / "configs" / "inference_ts.json"
    assert (bundle / "configs" / "inference_ts.json").read_bytes() == first.read_bytes()


def test_train_and_inference_agree(bundle: Path) -> None:
    train, inference = _config(bundle, "train"), _config(bundle, "inference")
    inference = json.loads(json.dumps(inference).replace("@displayable_configs#", "@"))
    for key in AGREE:
        assert train[key] == inference[key], key
    same = [
        key
        for key in inference
        if key in train and key not in ("imports", "amp", "datalist", "run", "initialize", "handlers")
    ]
    # in inference model.pt holds the backbone, too, and whole images of any shape come one by one
    own = ("backbone_weights", "batch_size")
    for key in same:
        if not isinstance(train[key], (dict, list)) and key not in own:
            assert train[key] == inference[key], key


@pytest.mark.parametrize("overlay", [None, "output_heatmap", "output_bins"])
def test_what_a_client_may_change_is_used_and_starts_as_configured(bundle: Path, overlay: str | None) -> None:
    """Every entry is one that clients can show, has the value of the key of its name, and something refers to it."""
    config = _config(bundle, "inference") | (_config(bundle, overlay) if overlay else {})
    used = json.dumps({key: value for key, value in config.items() if key != "displayable_configs"})
    parser = ConfigParser(config)
    shown = parser.get_parsed_content("displayable_configs")
    assert {"image_false_positive_rate"} <= set(shown) and "displayable_configs" not in _config(bundle, "train")
    for name, value in shown.items():
        assert isinstance(value, int | float | str) and not isinstance(value, bool), name
        assert f'"@displayable_configs#{name}"' in used, name
        key = parser.get_parsed_content(name)
        assert value == ("calibrated" if key is None else ", ".join(map(str, key)) if isinstance(key, list) else key)


def test_checkpoints_of_a_lower_is_better_metric_keep_the_lowest(bundle: Path) -> None:
    train = _config(bundle, "train")
    savers = [h for h in train["train"]["handlers"] + train["validate"]["handlers"] if isinstance(h, dict)]
    for saver in savers:
        if saver["_target_"].endswith("CheckpointSaver") and saver.get("save_key_metric"):
            assert saver.get("key_metric_negative_sign") is True
    if "key_metric" in train["validate"]:
        assert "metric_cmp_fn" in train["validate"]["evaluator"]


def test_no_weights_are_committed(bundle: Path) -> None:
    import subprocess

    tracked = subprocess.run(["git", "ls-files", str(bundle)], capture_output=True, text=True, check=True, cwd=bundle)
    assert not [
        name for name in tracked.stdout.splitlines() if name.endswith((".pt", ".ts", ".onnx", "calibration.json"))
    ]


def test_license_is_apache(bundle: Path) -> None:
    assert "Apache License" in (bundle / "LICENSE").read_text("utf-8")
    assert ConfigParser.load_config_file(str(bundle / "configs" / "metadata.json"))["copyright"]


def test_the_card_names_the_version_of_the_metadata(bundle: Path) -> None:
    metadata = _config(bundle, "metadata")
    card = (bundle / "docs" / "README.md").read_text("utf-8")
    assert f"| Version | {metadata['version']}, for MONAI {metadata['monai_version']} and PyTorch" in card
    assert metadata["version"] == next(iter(metadata["changelog"]))
