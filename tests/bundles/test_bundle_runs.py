# SPDX-License-Identifier: Apache-2.0
"""Every bundle trains, calibrates, evaluates and infers, and keeps the promises of the house."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from bundle_tools import (
    KINDS,
    SmokeModel,
    State,
    build,
    build_in,
    fails_with,
    other_weights,
    real_inputs,
    same_weights,
    to_torchscript,
    train_in,
    usually,
)
from medad.calibration import load_calibration
from medad.engines import CohortError
from medad.errors import CalibrationError, InputError
from monai.bundle import ckpt_export, verify_metadata, verify_net_in_out
from monai.data import MetaTensor
from monai.transforms import Invertd, LoadImaged, SaveImaged
from PIL import Image

Infer = Callable[..., Path]


def _rows(folder: Path, table: str = "scores") -> list[dict[str, str]]:
    with (folder / f"{table}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _single_images(folder: Path, data: Path, count: int) -> Path:
    """A plain folder with some of the test images."""
    folder.mkdir()
    items = json.loads((data / "datalist.json").read_text())["test"][:count]
    for item in items:
        source = data / item["image"]
        (folder / source.name).write_bytes(source.read_bytes())
    return folder


def _volume(path: Path, data: Path, depth: int = 3, axes: str = "RAS") -> nibabel.Nifti1Image:
    """Stack 2D test images to a volume in the given orientation."""
    items = json.loads((data / "datalist.json").read_text())["test"][:depth]
    slices = [np.asarray(Image.open(data / item["image"]), dtype=np.float32).T for item in items]
    lps = nibabel.Nifti1Image(np.stack(slices, -1), np.diag([-0.9, -0.9, 5.0, 1.0]))
    turn = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(lps.affine), nibabel.orientations.axcodes2ornt(axes)
    )
    image = lps.as_reoriented(turn)
    nibabel.save(image, path)
    return image


def test_weights_are_tensors_only_and_fit(smoke_model: SmokeModel) -> None:
    state = smoke_model.state
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    network = build(smoke_model.bundle, "inference smoke", "infer", **smoke_model.paths).network_def
    network.load_state_dict(state, strict=True)


def test_inference_writes_maps_masks_scores_and_report(infer: Infer, tmp_path: Path) -> None:
    out = infer(tmp_path / "out")
    rows = _rows(out)
    assert len(rows) == 6 and rows == sorted(rows, key=lambda row: row["case"])
    for row in rows:
        folder = out / row["case"]
        anomaly_map = np.load(folder / f"{row['case']}_anomaly_map.npy")
        mask = np.asarray(Image.open(folder / f"{row['case']}_mask.png"))
        assert anomaly_map.shape == mask.shape == (64, 64)
        assert anomaly_map.dtype == np.float32 and anomaly_map.min() >= 0
        assert set(np.unique(mask)) <= {0, 255}
        assert float(row["score"]) >= 0 and 0 < float(row["p_value"]) <= 1 and row["decision"] in ("0", "1")
    assert _rows(out, "failures") == []
    report = (out / "report.html").read_text()
    assert "Research use only" in report and len(report) < 5_000_000
    assert not list(out.rglob("*.partial"))


def test_properties_of_the_inference_config(smoke_model: SmokeModel) -> None:
    workflow = build(smoke_model.bundle, "inference smoke", "infer", **smoke_model.paths)
    assert workflow.check_properties() == []


@pytest.mark.each_kind
def test_evaluation_reports_every_metric_with_its_interval(smoke_model: SmokeModel, tmp_path: Path) -> None:
    workflow = build(smoke_model.bundle, "train evaluate smoke", **smoke_model.paths, output_dir=tmp_path)
    workflow.run()
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    names = [
        "image_auroc", "image_ap", "pixel_auroc", "pixel_ap", "dice", "oracle_dice", "fpr95", "aupro",
        "false_positive_rate", "lesion_sensitivity",
    ]  # fmt: skip
    for name in names:
        assert set(metrics[name]) >= {"value", "low", "high"}
        value = metrics[name]
        assert value["value"] is None or value["low"] <= value["value"] <= value["high"], name
    assert metrics["lesion_sensitivity_by_size"] and metrics["n"]["images"] == 6
    assert (tmp_path / "report.html").is_file() and len(_rows(tmp_path)) == 6


def test_a_volume_keeps_its_geometry_and_its_orientation_does_not_matter(
    smoke_model: SmokeModel, infer: Infer, tmp_path: Path
) -> None:
    (tmp_path / "heads").mkdir()
    images = {
        axes: _volume(tmp_path / "heads" / f"{axes}.nii.gz", smoke_model.data, axes=axes) for axes in ("RAS", "PIR")
    }
    out = infer(tmp_path / "out", dataset_dir=tmp_path / "heads")
    maps = []
    for axes, image in images.items():
        for name, dtype in (("anomaly_map", np.float32), ("mask", np.uint8)):
            written = nibabel.load(out / axes / f"{axes}_{name}.nii.gz")
            assert written.shape == image.shape and written.get_data_dtype() == dtype
            np.testing.assert_allclose(written.affine, image.affine, atol=1e-5)
        written = nibabel.load(out / axes / f"{axes}_anomaly_map.nii.gz")
        maps.append(nibabel.as_closest_canonical(written).get_fdata())
    np.testing.assert_allclose(maps[0], maps[1], atol=1e-5)


def test_alone_in_a_batch_and_twice_give_the_same(infer: Infer, smoke_model: SmokeModel, tmp_path: Path) -> None:
    cohort = infer(tmp_path / "cohort", batch_size=4)
    again = infer(tmp_path / "again", batch_size=4)
    alone = infer(tmp_path / "alone", dataset_dir=_single_images(tmp_path / "one", smoke_model.data, 1))
    case = _rows(alone)[0]["case"]
    whole = {row["case"]: row for row in _rows(cohort)}
    assert list(whole.values()) == _rows(again)
    name = next(name for name in whole if case in name or name in case)
    first = np.load(cohort / name / f"{name}_anomaly_map.npy")
    np.testing.assert_array_equal(first, np.load(again / name / f"{name}_anomaly_map.npy"))
    np.testing.assert_allclose(first, np.load(alone / case / f"{case}_anomaly_map.npy"), atol=1e-5 * first.max())
    assert whole[name]["decision"] == _rows(alone)[0]["decision"]


@pytest.mark.each_kind
def test_a_bad_case_is_reported_and_the_others_are_kept(infer: Infer, smoke_model: SmokeModel, tmp_path: Path) -> None:
    folder = _single_images(tmp_path / "images", smoke_model.data, 3)
    (folder / "broken.png").write_bytes(b"not a picture")
    with fails_with(CohortError, "1 of 4 cases failed"):
        infer(tmp_path / "out", dataset_dir=folder)
    assert len(_rows(tmp_path / "out")) == 3
    failures = _rows(tmp_path / "out", "failures")
    assert [row["case"] for row in failures] == ["broken"] and "broken.png" in failures[0]["failure"]


@pytest.mark.each_kind
def test_an_interrupted_run_continues(infer: Infer, smoke_model: SmokeModel, tmp_path: Path) -> None:
    whole = infer(tmp_path / "whole", batch_size=1)
    part = infer(tmp_path / "part", batch_size=1)
    rows = _rows(part)
    for row in rows[2:]:
        for file in (part / row["case"]).iterdir():
            file.unlink()
        (part / row["case"]).rmdir()
    lines = (part / "scores.csv").read_text().splitlines(keepends=True)
    (part / "scores.csv").write_text("".join(lines[:4]))  # the third case has a row, but its folder is not complete
    kept = {row["case"]: (part / row["case"]).stat().st_mtime_ns for row in rows[:2]}
    infer(part, batch_size=1, resume=True)
    assert (part / "scores.csv").read_bytes() == (whole / "scores.csv").read_bytes()
    assert kept == {case: (part / case).stat().st_mtime_ns for case in kept}
    for file in sorted(whole.rglob("*.npy")):
        assert file.read_bytes() == (part / file.relative_to(whole)).read_bytes()
    infer(part, batch_size=1, resume=True)  # nothing left to do is no error


@pytest.mark.each_kind
def test_without_calibration_maps_and_scores_are_written(infer: Infer, tmp_path: Path) -> None:
    with fails_with(CalibrationError, "calibrate.json"):
        infer(tmp_path / "out", calibration_path=tmp_path / "nothing.json")
    rows = _rows(tmp_path / "out")
    assert len(rows) == 6 and all(row["score"] and not row["decision"] for row in rows)
    assert len(list((tmp_path / "out").rglob("*_anomaly_map.npy"))) == 6
    assert not list((tmp_path / "out").rglob("*_mask.png"))
    infer(tmp_path / "given", calibration_path=tmp_path / "nothing.json", threshold=0.1)
    case = _rows(tmp_path / "given")[0]["case"]
    anomaly_map = np.load(tmp_path / "given" / case / f"{case}_anomaly_map.npy")
    mask = np.load(tmp_path / "given" / case / f"{case}_mask.npy")
    assert not (mask[anomaly_map <= 0.1]).any()


@pytest.mark.each_kind
def test_calibration_takes_normal_images_only(smoke_model: SmokeModel, tmp_path: Path) -> None:
    # the split is a key that also belongs to the evaluation
    paths = {**smoke_model.paths, "calibration_path": tmp_path / "calibration.json", "output_dir": tmp_path}
    with fails_with(InputError, "are abnormal"):
        build(smoke_model.bundle, "train calibrate smoke", **paths, **{"validate#datalist#split": "test"}).run()
    assert not (tmp_path / "calibration.json").exists()


@pytest.mark.each_kind
def test_calibration_of_other_weights_is_refused(infer: Infer, smoke_model: SmokeModel, tmp_path: Path) -> None:
    state = smoke_model.state
    torch.save(other_weights(state), tmp_path / "other.pt")
    with fails_with(CalibrationError, "weights"):
        infer(tmp_path / "out", ckpt_path=tmp_path / "other.pt")


@pytest.mark.each_kind
@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("foreground_threshold", 0.3, "preprocessing ForegroundMaskd threshold"),
        ("score_fraction", 0.5, "map_postprocessing AnomalyScored fraction"),
        ("foreground_erosion", 2, "map_postprocessing MaskForegroundd erosion"),
        ("inferer#residual", "other", "inferer"),
    ],
)
def test_calibration_of_another_score_is_refused(
    infer: Infer, smoke_model: SmokeModel, tmp_path: Path, key: str, value: Any, named: str
) -> None:
    config = json.loads((smoke_model.bundle / "configs" / "inference.json").read_text())
    if key not in config and key.removeprefix("inferer#") not in config["inferer"]:
        pytest.skip("no such setting")
    if value == "other":
        value = "l1" if "l2" in (config["inferer"]["residual"], config.get("residual")) else "l2"
    # only what differs is quoted
    with fails_with(CalibrationError, f"calibration of another score, with {named}"):
        infer(tmp_path / "out", **{key: value})
    assert not any(row["decision"] for row in _rows(tmp_path / "out"))


@pytest.mark.each_kind
def test_missing_weights_say_what_to_do(infer: Infer, tmp_path: Path) -> None:
    with fails_with(InputError, "train.json"):
        infer(tmp_path / "out", ckpt_path=tmp_path / "missing.pt")


@pytest.mark.parametrize(("overlay", "values"), [("output_heatmap", range(256)), ("output_bins", range(6))])
def test_output_forms_for_clients(
    infer: Infer, smoke_model: SmokeModel, tmp_path: Path, overlay: str, values: range
) -> None:
    _volume(tmp_path / "head.nii.gz", smoke_model.data)
    out = infer(tmp_path / "out", f"inference {overlay} smoke", dataset_dir=tmp_path / "head.nii.gz")
    written = nibabel.load(out / "head" / f"head_{overlay.removeprefix('output_')}.nii.gz")
    data = np.asarray(written.dataobj)
    assert data.dtype == np.uint8 and set(np.unique(data)) <= set(values) and data.max() > 1


def test_the_parts_that_monai_label_takes_are_enough(infer: Infer, smoke_model: SmokeModel, tmp_path: Path) -> None:
    """preprocessing, inferer and postprocessing alone, with the keys MONAI Label adds, equal the run."""
    _volume(tmp_path / "head.nii.gz", smoke_model.data)
    out = infer(tmp_path / "out", dataset_dir=tmp_path / "head.nii.gz")
    workflow = build(smoke_model.bundle, "inference smoke", "infer", **smoke_model.paths)
    parser = workflow.parser
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(smoke_model.state)
    path = str(tmp_path / "head.nii.gz")
    case: dict[str, Any] = {"image": path, "image_path": path, "label": 0}
    preprocessing = parser.get_parsed_content("preprocessing")
    assert any(isinstance(step, LoadImaged) for step in preprocessing.transforms)
    case = preprocessing(case)
    with torch.no_grad():
        pred = parser.get_parsed_content("inferer")(case["image"][None], network)
    assert isinstance(pred, torch.Tensor) and pred.shape[0] == 1 and pred.shape[2:] == case["image"].shape[1:]
    case["pred"] = pred[0]
    postprocessing = parser.get_parsed_content("postprocessing")
    assert not [step for step in postprocessing.transforms if isinstance(step, SaveImaged)]
    case = postprocessing(case)
    assert isinstance(case["pred"], MetaTensor) and set(case["pred"].unique().tolist()) <= {0, 1}
    written = nibabel.load(out / "head" / "head_mask.nii.gz")
    np.testing.assert_array_equal(case["pred"][0].numpy(), np.asarray(written.dataobj))
    assert float(case["anomaly_score"]) == pytest.approx(float(_rows(out)[0]["score"]), rel=1e-6)


def test_metadata_network_and_torchscript_checks_of_monai(smoke_model: SmokeModel, tmp_path: Path) -> None:
    configs = smoke_model.bundle / "configs"
    schema = Path(__file__).resolve().parents[1] / "golden" / "meta_schema_20240725.json"
    verify_metadata(meta_file=str(configs / "metadata.json"), filepath=str(schema))
    files = [str(configs / "inference.json"), str(configs / "smoke.json")]
    verify_net_in_out("network_def", meta_file=str(configs / "metadata.json"), config_file=files, device="cpu", n=1)
    workflow = build(smoke_model.bundle, "inference smoke", "infer", **smoke_model.paths)
    network = workflow.network_def.eval()
    network.load_state_dict(smoke_model.state)
    images = torch.rand(3, 1, *workflow.parser.get_parsed_content("image_size"))
    inputs, exported = real_inputs(network, images), tmp_path / "model.ts"
    if len(inputs) == 1:
        ckpt_export(
            "network_def",
            filepath=str(exported),
            ckpt_file=str(smoke_model.models / "model.pt"),
            meta_file=str(configs / "metadata.json"),
            config_file=files,
        )
    else:  # MONAI's export would trace it with the image alone, and the time would be 0 forever
        torch.jit.save(to_torchscript(network, images[:1]), exported)
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.load(exported)(*inputs), network(*inputs), rtol=1e-4, atol=1e-5)


def test_training_stops_and_resumes_without_a_trace(bundle: Path, phantom_2d: Path, tmp_path: Path) -> None:
    def train(name: str, epochs: int, **overrides: Any) -> State:
        length = {"train#trainer#max_epochs": epochs, "max_epochs": 2, "batch_size": 4}
        return train_in(bundle, phantom_2d, tmp_path / name, **length, **overrides)

    whole = train("whole", 2)
    assert not same_weights(whole, train("stopped", 1))
    assert same_weights(whole, train("stopped", 2, resume=True))


@pytest.mark.one_fast
def test_volumes_train_with_volume_3d(bundle: Path, phantom_3d: Path, tmp_path: Path) -> None:
    _volumes_train(bundle, 3, phantom_3d, tmp_path)


@pytest.mark.slow
def test_slices_of_volumes_train_a_2d_network(bundle: Path, phantom_3d: Path, tmp_path: Path) -> None:
    usually(bundle, *KINDS, "autoencoder", "microcalcification_cascade")
    _volumes_train(bundle, 2, phantom_3d, tmp_path)


def _volumes_train(bundle: Path, spatial_dims: int, phantom_3d: Path, tmp_path: Path) -> None:
    """A network learns from volumes or their slices, and is calibrated on volumes."""
    form = "smoke" if spatial_dims == 2 else "volume_3d smoke"
    workflow = build_in(bundle, phantom_3d, tmp_path, f"train {form}")
    workflow.run()
    datalist = json.loads((phantom_3d / "datalist.json").read_text())
    images, volumes = len(workflow.parser.get_parsed_content("train#dataset")), len(datalist["training"])
    assert images > 10 * volumes if spatial_dims == 2 else images <= volumes + len(datalist["training_abnormal"])
    assert load_calibration(tmp_path / "calibration.json").images == len(datalist["calibration"])
    build_in(bundle, phantom_3d, tmp_path, f"inference {form}", output_dir=tmp_path / "out").run()
    for row, item in zip(_rows(tmp_path / "out"), datalist["test"], strict=True):
        written = nibabel.load(tmp_path / "out" / row["case"] / f"{row['case']}_mask.nii.gz")
        source = nibabel.load(phantom_3d / item["image"])
        assert written.shape == source.shape
        np.testing.assert_allclose(written.affine, source.affine, atol=1e-5)


@pytest.mark.each_kind
def test_a_failed_start_does_not_touch_good_weights(smoke_model: SmokeModel, tmp_path: Path) -> None:
    good = (smoke_model.models / "model.pt").read_bytes()
    (tmp_path / "model.pt").write_bytes(good)
    torch.save({"epoch": 1, "objects": {}}, tmp_path / "training_state.pt")
    with fails_with(InputError, "does not fit"):
        build(
            smoke_model.bundle,
            "train smoke",
            dataset_dir=smoke_model.data,
            ckpt_dir=tmp_path,
            ckpt_path=tmp_path / "model.pt",
            calibration_path=tmp_path / "calibration.json",
            output_dir=tmp_path / "log",
            resume=True,
        ).run()
    assert (tmp_path / "model.pt").read_bytes() == good


def test_training_takes_data_lists_with_labels_and_masks_here_and_there(
    bundle: Path, phantom_2d: Path, tmp_path: Path
) -> None:
    splits = json.loads((phantom_2d / "datalist.json").read_text())
    rows = splits["training"][:4] + splits["training_abnormal"][:2]
    images = []
    for number, row in enumerate(rows):
        picture = Image.open(phantom_2d / row["image"])
        size = 48 + 8 * number
        picture.resize((size, size)).save(tmp_path / f"{number}.png")
        Image.new("L", (size, size)).save(tmp_path / f"{number}_mask.png")
        images.append({"image": f"{number}.png", "subject_id": f"s{number}"})
    images[0]["label"] = 0
    images[1]["mask"] = "1_mask.png"
    images[4]["mask"] = "4_mask.png"
    lists = {"training": images[:4], "training_abnormal": images[4:], "calibration": []}
    (tmp_path / "datalist.json").write_text(json.dumps(lists))
    overrides = {"dataset_dir": tmp_path, "ckpt_dir": tmp_path / "m", "output_dir": tmp_path / "o"}
    workflow = build(bundle, "train smoke", **overrides, **{"train#trainer#train_handlers": []})
    workflow.parser.get_parsed_content("train#trainer").run()


@pytest.mark.each_kind
@pytest.mark.parametrize(("axes", "spacing"), [("RAS", (1, 1, 4)), ("PIR", (0.8, 0.9, 0.7)), ("LSA", (1.3, 1.1, 1))])
def test_a_spot_returns_to_its_voxel(
    smoke_model: SmokeModel, tmp_path: Path, axes: str, spacing: tuple[float, float, float]
) -> None:
    """Preprocessing there, inverse transforms back: any orientation and voxel size."""
    spot = np.zeros((48, 40, 44), dtype=np.uint8)
    spot[20:26, 14:20, 25:31] = 1
    turn = nibabel.orientations.axcodes2ornt(axes)
    affine = nibabel.orientations.inv_ornt_aff(turn, spot.shape) @ np.diag([*spacing, 1.0])
    paths = {"image": tmp_path / "image.nii.gz", "foreground": tmp_path / "spot.nii.gz"}
    for path, array in zip(
        paths.values(), (np.random.default_rng(0).random(spot.shape, dtype=np.float32), spot), strict=True
    ):
        nibabel.save(nibabel.Nifti1Image(array, affine), path)
    parser = build(smoke_model.bundle, "inference smoke", "infer", **smoke_model.paths).parser
    case = parser.get_parsed_content("preprocessing")({key: str(path) for key, path in paths.items()})
    case["anomaly_map"] = MetaTensor(case["foreground"].float().as_tensor())
    steps = parser.get_parsed_content("postprocessing").transforms
    back = next(step for step in steps if isinstance(step, Invertd))(case)["anomaly_map"][0].numpy()
    assert back.shape == spot.shape
    center = np.argwhere(back > 0.5).mean(axis=0)
    np.testing.assert_allclose(center, [22.5, 16.5, 27.5], atol=1.0)


@pytest.mark.one_fast
def test_every_option_changes_what_it_says(infer: Infer, smoke_model: SmokeModel, tmp_path: Path) -> None:
    changes = {
        "foreground_threshold": 0.5,
        "foreground_erosion": 1,
        "median_kernel_size": 7,
        "score_fraction": 0.5,
        "image_false_positive_rate": 0.9,
        "voxel_false_positive_rate": 0.2,
        "min_lesion_size": 5000,
    }
    config = json.loads((smoke_model.bundle / "configs" / "inference.json").read_text())
    # a calibration holds for its own score only; with a threshold none is needed
    fixed: dict[bool, dict[str, float]] = {True: {}, False: {"threshold": 0.001}}
    bases = {calibrated: infer(tmp_path / f"base_{calibrated}", **given) for calibrated, given in fixed.items()}
    asked = {key: value for key, value in changes.items() if key in config}
    assert len(asked) >= 4
    for key, value in asked.items():
        calibrated = key.endswith("false_positive_rate")
        base = bases[calibrated]
        changed = infer(tmp_path / key, **fixed[calibrated], **{key: value})
        files = sorted(path.relative_to(base) for path in [*base.rglob("*.npy"), base / "scores.csv"])
        assert any((base / file).read_bytes() != (changed / file).read_bytes() for file in files), key
