# SPDX-License-Identifier: Apache-2.0
"""The normative atlas on heads: pictures, volumes slice by slice, and volumes as such."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from bundle_tools import ROOT, build, train_smoke_model
from medad.errors import CalibrationError, InputError
from medad.export import export_bundle
from medad.export.__main__ import summary
from medad.predict import AnomalyDetector
from medad.transforms import HeadMaskd

BUNDLE = ROOT / "bundles" / "normative_atlas"


def _head(path: Path, axes: str, lesion: tuple[slice, slice, slice] | None) -> nibabel.Nifti1Image:
    """A head with scalp and brain, thick slices, air above it; any axes, and a field of view that is too large."""
    x, y, _ = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (64, 72, 10)), indexing="ij")
    radius = np.hypot((x - 30) / 22, (y - 38) / 28)
    values = np.where(radius < 1, 180.0, 0.0) + np.where(radius < 0.85, -80.0, 0.0)
    values += 10 * np.sin(x / 5) * (radius < 0.85) + np.random.default_rng(0).rayleigh(2.0, x.shape)
    values[..., 8:] = np.random.default_rng(1).rayleigh(2.0, values[..., 8:].shape)
    if lesion is not None:
        values[lesion] += 150.0
    image = nibabel.Nifti1Image(values.astype(np.float32), np.diag([-3.0, -3.0, 6.0, 1.0]))
    turn = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(image.affine), nibabel.orientations.axcodes2ornt(axes)
    )
    turned = image.as_reoriented(turn)
    nibabel.save(turned, path)
    return turned


@pytest.mark.parametrize("axes", ["LPS", "RAS", "PIR"])
@pytest.mark.parametrize("form", ["", "volume_3d "])
def test_a_lesion_is_found_where_it_is(
    phantom_2d: Path, phantom_3d: Path, tmp_path: Path, axes: str, form: str
) -> None:
    """In slices of volumes with a bank of pictures, and in volumes with a bank of volumes."""
    data = phantom_3d if form else phantom_2d
    models = tmp_path / "models"
    train_smoke_model(BUNDLE, data, models, tmp_path / "log", f"train {form}head_mri smoke")
    assert len(torch.load(models / "model.pt", weights_only=True)["bank"]) == 8
    lesion = (slice(24, 32), slice(40, 48), slice(3, 5))
    for name, where in (("normal", None), ("abnormal", lesion)):
        _head(tmp_path / f"{name}.nii.gz", axes, where)
    paths = {"ckpt_path": str(models / "model.pt"), "calibration_path": str(models / "calibration.json")}
    detector = AnomalyDetector(BUNDLE, [*form.split(), "head_mri", "smoke"], device="cpu", **paths)
    files = [tmp_path / f"{name}.nii.gz" for name in ("normal", "abnormal")]
    maps = [detector(file).anomaly_map for file in files]
    values = [nibabel.load(file).get_fdata() for file in files]
    marked = values[1] - values[0]
    assert maps[1].shape == marked.shape
    change = maps[1] - maps[0]
    center = np.argwhere(marked > 1).mean(axis=0)
    found = np.argwhere(change > 0.5 * change.max()).mean(axis=0)
    assert np.abs(center - found).max() < 1.6


def test_the_grid_holds_the_head_alone_and_tissue_is_one(tmp_path: Path) -> None:
    _head(tmp_path / "head.nii.gz", "LPS", None)
    parser = build(BUNDLE, "inference head_mri smoke", "infer", ckpt_path=tmp_path / "none.pt").parser
    case = parser.get_parsed_content("preprocessing")({"image": str(tmp_path / "head.nii.gz")})
    assert case["image"].shape == (1, 96, 96, 10)
    inside = case["foreground"].as_tensor()[0] > 0
    assert bool(inside[:, 48, :8].float().mean() > 0.95) and bool(inside[48, :, :8].float().mean() > 0.95)
    assert not bool(inside[..., 8:].any()) and not bool(case["image"][..., 8:].any())
    tissue = case["image"].as_tensor()[0, 38:58, 38:58, :8]
    assert float(tissue.median()) == pytest.approx(1.0, abs=0.05)


def test_the_sign_belongs_to_the_score(phantom_2d: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    train_smoke_model(BUNDLE, phantom_2d, models, tmp_path / "log", "train head_mri smoke")
    image = phantom_2d / json.loads((phantom_2d / "datalist.json").read_text())["test"][0]["image"]
    paths = {"ckpt_path": str(models / "model.pt"), "calibration_path": str(models / "calibration.json")}

    result = AnomalyDetector(BUNDLE, ["head_mri", "smoke"], device="cpu", sign="bright", **paths)(image)
    with pytest.raises(CalibrationError, match="sign both"):
        _ = result.decision
    paths["calibration_path"] = "none.json"
    both, bright, dark = (
        AnomalyDetector(BUNDLE, ["head_mri", "smoke"], device="cpu", sign=sign, **paths)(image).anomaly_map
        for sign in ("both", "bright", "dark")
    )
    assert min(bright.max(), dark.max()) > 0
    assert (both >= np.maximum(bright, dark) - 1e-4).all()


def test_head_mri_finds_heads_and_the_base_does_not() -> None:
    steps = {
        names: build(BUNDLE, f"inference {names}smoke", "infer").parser.get_parsed_content("normalization")
        for names in ("", "head_mri ")
    }
    assert [any(isinstance(step, HeadMaskd) for step in each) for each in steps.values()] == [False, True]


def test_a_release_says_that_it_holds_images(phantom_2d: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    train_smoke_model(BUNDLE, phantom_2d, models, tmp_path / "log", "train head_mri smoke")
    arguments = BUNDLE, tmp_path / "dist", ["head_mri", "smoke"], models / "model.pt"
    with pytest.raises(InputError, match="--include_bank"):
        export_bundle(*arguments)
    release = export_bundle(*arguments, include_bank=True)
    metadata = json.loads((release.folder / "configs" / "metadata.json").read_text())
    assert metadata["data_source"] == "The weights hold the training images"
    assert "The weights hold the training images" in summary(release, without_weights=False)
    empty = export_bundle(BUNDLE, tmp_path / "empty", ["head_mri", "smoke"], without_weights=True)
    assert "training images" not in summary(empty, without_weights=True)


@pytest.mark.parametrize("form", ["", "volume_3d "])
def test_a_bank_of_means_leaves_without_asking(phantom_2d: Path, phantom_3d: Path, tmp_path: Path, form: str) -> None:
    models, data = tmp_path / "models", phantom_3d if form else phantom_2d
    train_smoke_model(BUNDLE, data, models, tmp_path / "log", f"train {form}head_mri shared_bank smoke")
    state = torch.load(models / "model.pt", weights_only=True)
    assert len(state["bank"]) == len(state["deviation"]) == 1
    overlays = [*form.split(), "head_mri", "smoke"]
    with pytest.raises(InputError, match="do not fit"):
        export_bundle(BUNDLE, tmp_path / "dist", overlays, models / "model.pt")
    release = export_bundle(BUNDLE, tmp_path / "dist", [*overlays, "shared_bank"], models / "model.pt")
    assert release.calibrated and not release.holds_images
