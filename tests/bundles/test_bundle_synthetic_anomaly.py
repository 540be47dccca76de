# SPDX-License-Identifier: Apache-2.0
"""Synthetic anomaly: what its training items are, and what the atlas adds."""

import json
from pathlib import Path

import pytest
import torch
from bundle_tools import ROOT, build, train_smoke_model
from medad.errors import InputError
from medad.export import export_bundle
from medad.export.__main__ import summary
from medad.predict import AnomalyDetector

BUNDLE = ROOT / "bundles" / "synthetic_anomaly"


@pytest.mark.parametrize(("form", "axes"), [("", 2), ("volume_3d ", 3)])
def test_items_are_normal_images_with_lesions(phantom_2d: Path, phantom_3d: Path, form: str, axes: int) -> None:
    data = phantom_3d if axes == 3 else phantom_2d
    parser = build(BUNDLE, f"train {form}variant_atlas smoke", dataset_dir=data).parser
    parser["bright_share"] = 1.0
    dataset = parser.get_parsed_content("train#dataset")
    assert len(dataset) == 8 and len(parser.get_parsed_content("atlas").bank) == 8
    items = [dataset[number] for number in range(8)]
    assert any(bool((item["lesions"] == 1).any()) for item in items)
    for item in items:
        assert set(item) == {"image", "depth", "subject_id", "expected", "spread", "change", "lesions"}
        assert all(item[key].shape == (1, *[32] * axes) for key in set(item) - {"subject_id"})
        assert float(item["change"].max()) <= 1e-6  # bright lesions are healed by taking away


@pytest.mark.parametrize("form", ["", "volume_3d "])
def test_the_atlas_is_part_of_the_weights(phantom_2d: Path, phantom_3d: Path, tmp_path: Path, form: str) -> None:
    data, models = phantom_3d if form else phantom_2d, tmp_path / "models"
    train_smoke_model(BUNDLE, data, models, tmp_path / "log", f"train {form}variant_atlas smoke")
    state = torch.load(models / "model.pt", weights_only=True)
    assert len(state["atlas.bank"]) == 8 and state["atlas.bank"].dtype == torch.float16
    image = data / json.loads((data / "datalist.json").read_text())["test"][0]["image"]
    paths = {"ckpt_path": str(models / "model.pt"), "calibration_path": str(models / "calibration.json")}
    result = AnomalyDetector(BUNDLE, [*form.split(), "variant_atlas", "smoke"], device="cpu", **paths)(image)
    assert 0.0 < result.p_value <= 1.0 and result.anomaly_map.max() > 0.0 and result.reconstruction is not None
    with pytest.raises(InputError, match="weights do not fit"):
        AnomalyDetector(BUNDLE, [*form.split(), "smoke"], device="cpu", **paths)(image)


def test_a_release_says_whether_it_holds_images(phantom_2d: Path, tmp_path: Path) -> None:
    for names, holds in (("variant_atlas smoke", True), ("smoke", False)):
        models = tmp_path / names.replace(" ", "_")
        train_smoke_model(BUNDLE, phantom_2d, models, tmp_path / "log", f"train {names}")
        release = export_bundle(BUNDLE, models / "dist", names.split(), models / "model.pt", include_bank=holds)
        assert ("The weights hold the training images" in summary(release, without_weights=False)) is holds


def test_weights_with_images_leave_only_when_asked(phantom_2d: Path, tmp_path: Path) -> None:
    train_smoke_model(BUNDLE, phantom_2d, tmp_path, tmp_path / "log", "train variant_atlas smoke")
    with pytest.raises(InputError, match="--include_bank"):
        export_bundle(BUNDLE, tmp_path / "dist", ["variant_atlas", "smoke"], tmp_path / "model.pt")


def test_more_epochs_than_the_configuration_has(phantom_2d: Path, tmp_path: Path) -> None:
    """As a labeling application gives a trainer."""
    workflow = build(BUNDLE, "train smoke", dataset_dir=phantom_2d, ckpt_dir=tmp_path, output_dir=tmp_path / "log")
    workflow.parser["train#trainer#max_epochs"] = 3
    trainer = workflow.parser.get_parsed_content("train#trainer")
    trainer.run()
    assert trainer.state.epoch == 3
    assert workflow.parser.get_parsed_content("lr_scheduler").total_steps == trainer.state.epoch_length


@pytest.mark.parametrize("mirror", [True, False])
def test_mirror_images_count_in_map_and_atlas_or_in_neither(mirror: bool) -> None:
    parser = build(BUNDLE, "inference variant_atlas smoke", "infer", mirror=mirror).parser
    assert parser.get_parsed_content("inferer").mirror is mirror
    assert parser.get_parsed_content("network_def").atlas.mirror is mirror
