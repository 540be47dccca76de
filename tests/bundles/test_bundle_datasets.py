# SPDX-License-Identifier: Apache-2.0
"""One model for several data sets: from training to inference on two phantoms of different brightness."""

import csv
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_tools import SmokeModel, build, fails_with
from medad.calibration import load_calibration
from medad.errors import InputError
from medad.phantom import write_phantom_dataset
from medad.predict import AnomalyDetector
from PIL import Image

RATE = 0.3
ABNORMAL = 3
COUNTS = {"training": 8, "training_abnormal": 4, "calibration": 60, "validation": 0, "test": 80}


def _phantom(folder: Path, seed: int) -> Path:
    write_phantom_dataset(folder, spatial_dims=2, image_size=(32, 32), counts=COUNTS, seed=seed, progress=False)
    return folder


def _brighten(folder: Path) -> None:
    """Lift the darker parts of all images: normalization by the foreground takes back a mere factor."""
    for path in (folder / "images").iterdir():
        pixels = np.asarray(Image.open(path), dtype=np.float64)
        lifted = pixels.max() * (pixels / pixels.max()) ** 0.3
        Image.fromarray(lifted.astype(np.uint16)).save(path)


def _thin_out(folder: Path, with_masks: bool) -> None:
    """Keep all normal test images and the first abnormal ones."""
    splits = json.loads((folder / "datalist.json").read_text())
    abnormal = [row for row in splits["test"] if row["label"] == 1]
    normal = [row for row in splits["test"] if row["label"] == 0]
    dropped = set() if with_masks else {"mask"}
    splits["test"] = [
        {key: value for key, value in row.items() if key not in dropped} for row in normal + abnormal[:ABNORMAL]
    ]
    (folder / "datalist.json").write_text(json.dumps(splits))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A set with masks, and a brighter one without."""
    root = tmp_path_factory.mktemp("two")
    dark, bright = _phantom(root / "dark", seed=1), _phantom(root / "bright", seed=2)
    _brighten(bright)
    _thin_out(dark, with_masks=True)
    _thin_out(bright, with_masks=False)
    return {"dark": str(dark), "bright": str(bright)}


def _run(bundle: Path, names: str, output_dir: Path, kind: str = "train", **options: Any) -> None:
    workflow = build(bundle, names, kind, output_dir=output_dir, image_false_positive_rate=RATE, **options)
    workflow.run()
    workflow.finalize()


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "scores.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.one_bundle
def test_one_model_for_two_data_sets(bundle: Path, two: dict[str, str], tmp_path: Path) -> None:
    models, out = tmp_path / "models", tmp_path / "evaluation"
    _run(bundle, "train smoke", tmp_path / "log", dataset_dir=list(two.values()), ckpt_dir=models)
    calibration = load_calibration(models / "calibration.json")
    assert (calibration.images, [group.images for group in calibration.groups.values()]) == (120, [60, 60])
    dark, bright = (calibration.groups[name] for name in two)
    assert dark.score_threshold(RATE) != pytest.approx(bright.score_threshold(RATE), rel=0.1)
    assert dark.voxel_threshold(0.002) != pytest.approx(bright.voxel_threshold(0.002), rel=0.01)

    _run(bundle, "train evaluate smoke", out, dataset_dir=two, ckpt_dir=models)
    metrics = json.loads((out / "metrics.json").read_text())
    rows = _rows(out)
    assert [len(rows), metrics["n"]["images"]] == [2 * (40 + ABNORMAL)] * 2
    spread = 3 * math.sqrt(RATE * (1 - RATE) * (1 / 40 + 1 / 60))  # 40 normal test images, 60 calibration images
    errors = []
    for name, path in two.items():
        splits = json.loads((Path(path) / "datalist.json").read_text())
        normal = {f"{name}_{Path(row['image']).stem}" for row in splits["test"] if row["label"] == 0}
        scores = [float(row["score"]) for row in rows if row["case"] in normal and row["dataset"] == name]
        own, pooled = (
            sum(judge.decision(score, RATE) for score in scores) / 40
            for judge in (calibration.groups[name], calibration)
        )
        assert metrics["datasets"][name]["false_positive_rate"]["value"] == pytest.approx(own)
        assert abs(own - RATE) < spread
        errors.append(abs(pooled - RATE))
    assert max(errors) > spread  # one threshold for both is wrong for at least one of them

    first, second = (metrics["datasets"][name] for name in two)
    assert first["pixel_ap"]["value"] is not None and first["n"]["lesions"] >= ABNORMAL
    assert second["pixel_ap"]["value"] is None and second["dice"]["value"] is None and second["n"]["lesions"] == 0
    assert second["image_auroc"]["value"] is not None and metrics["pixel_ap"]["value"] is not None
    report = (out / "report.html").read_text()
    assert "Data sets" in report and "judged by those of their data set" in report


@pytest.mark.one_bundle
def test_new_images_are_judged_as_those_of_a_named_set(
    bundle: Path, two: dict[str, str], smoke_model: SmokeModel, tmp_path: Path
) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for source in sorted((Path(two["bright"]) / "images").glob("test_*"))[:3]:
        shutil.copy(source, few)
    paths = {"ckpt_path": smoke_model.models / "model.pt", "calibration_path": tmp_path / "calibration.json"}
    options = {"dataset_dir": two, "ckpt_dir": smoke_model.models, **paths}
    _run(bundle, "train calibrate smoke", tmp_path / "log", **options)
    calibration = load_calibration(tmp_path / "calibration.json")
    _run(bundle, "inference smoke", tmp_path / "out", "infer", dataset_dir={"bright": str(few)}, **paths)
    rows = _rows(tmp_path / "out")
    assert [row["case"] for row in rows] == [f"bright_test_{number:05d}" for number in range(3)]
    for row in rows:
        p_value = calibration.groups["bright"].p_value(float(row["score"]))
        assert (float(row["p_value"]), row["dataset"]) == (pytest.approx(p_value, abs=1e-4), "bright")
        assert p_value != pytest.approx(calibration.p_value(float(row["score"])), abs=1e-4)
        assert (tmp_path / "out" / row["case"] / f"{row['case']}_mask.png").is_file()
    report = (tmp_path / "out" / "report.html").read_text()
    assert "60 normal images" in report and "120 normal images" not in report  # thresholds of that set, not of both

    detector = AnomalyDetector(bundle, ["smoke"], **paths)
    image = few / "test_00000.png"
    for name, judge in ((None, calibration), *calibration.groups.items()):
        result = detector(image, dataset=name)
        assert result.p_value == judge.p_value(result.score)
        assert np.array_equal(next(detector.map([image], dataset=name)).mask, result.mask)


@pytest.mark.one_bundle
def test_a_set_without_the_split_is_named(bundle: Path, two: dict[str, str], tmp_path: Path) -> None:
    lone = tmp_path / "lone"
    lone.mkdir()
    (lone / "a.png").write_bytes(b"")
    with fails_with(InputError, "data set lone"):
        _run(bundle, "train smoke", tmp_path, dataset_dir={**two, "lone": str(lone)}, ckpt_dir=tmp_path)
