# SPDX-License-Identifier: Apache-2.0
"""The door over a small bundle: all cases are tested, finished folds are kept, and errors come before any training."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from medad.crossval.__main__ import main
from medad.phantom import write_phantom_dataset

BUNDLE = Path(__file__).resolve().parents[3] / "bundles" / "denoising_autoencoder"


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom data set whose splits do not matter here."""
    out = tmp_path_factory.mktemp("phantom") / "data"
    counts = {"training": 8, "training_abnormal": 2, "calibration": 2, "validation": 0, "test": 6}
    write_phantom_dataset(out, spatial_dims=2, image_size=(32, 32), counts=counts, seed=3, progress=False)
    return out


def _arguments(data: Path, out: Path, *more: str) -> list[str]:
    arguments = ["--bundle", str(BUNDLE), "--dataset_dir", str(data), "--out", str(out), "--folds", "2"]
    small = ["--overlay", "smoke", "--image_size", "[32,32]", "--channels", "[8,16]"]
    return [*arguments, *small, "--image_false_positive_rate", "0.4", "--voxel_false_positive_rate", "0.02", *more]


def _items(data: Path) -> list[dict[str, Any]]:
    content = json.loads((data / "datalist.json").read_text())
    return [item for split in content.values() if isinstance(split, list) for item in split]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_two_folds_and_a_second_call_that_has_nothing_to_do(
    phantom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(_arguments(phantom, tmp_path))
    items = _items(phantom)
    rows = _rows(tmp_path / "scores.csv")
    assert len(rows) == len(items) == 18 and {row["fold"] for row in rows} == {"1", "2"}
    assert {row["subject_id"] for row in rows} == {item["subject_id"] for item in items}
    metrics: dict[str, Any] = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["n"]["images"] == 18 and metrics["n"]["normal"] == 13
    assert list(metrics["folds"]) == ["fold_1", "fold_2"]
    values = [fold["image_auroc"]["value"] for fold in metrics["folds"].values()]
    assert metrics["over_folds"]["image_auroc"]["mean"] == pytest.approx(sum(values) / 2)
    assert metrics["pixel_ap"]["value"] is not None and metrics["raw"]["pixel_ap"]["value"] is not None
    scores = {scale: [float(row[scale]) for row in rows] for scale in ("score", "standardized_score", "p_value")}
    labels = [row["label"] for row in rows]
    for scale, found, sign in (
        ("score", metrics["raw"], 1),
        ("standardized_score", metrics, 1),
        ("p_value", metrics["p_value"], -1),
    ):
        pairs = [
            sign * (a - n)
            for a, x in zip(scores[scale], labels, strict=True)
            for n, y in zip(scores[scale], labels, strict=True)
            if (x, y) == ("1", "0")
        ]
        by_hand = sum((pair > 0) + 0.5 * (pair == 0) for pair in pairs) / len(pairs)
        assert found["image_auroc"]["value"] == pytest.approx(by_hand)
    for fold in (1, 2):
        folder = tmp_path / f"fold_{fold}"
        tested = [row["case"] for row in rows if row["fold"] == str(fold)]
        assert sorted(path.name for path in (folder / "evaluation").iterdir() if path.is_dir()) == sorted(tested)
        assert json.loads((folder / "done.json").read_text()) == {"cases": 9, "failures": 0}
        assert not list(folder.rglob("*_image.*"))
    report = (tmp_path / "report.html").read_text()
    assert "fold_2" in report and "not given" not in report

    before = (tmp_path / "metrics.json").read_bytes()
    weights = [tmp_path / f"fold_{fold}" / "models" / "model.pt" for fold in (1, 2)]
    times = [file.stat().st_mtime_ns for file in weights]
    shutil.rmtree(tmp_path / "fold_2" / "evaluation" / rows[0]["case"], ignore_errors=True)
    shutil.rmtree(tmp_path / "fold_1" / "evaluation" / rows[0]["case"], ignore_errors=True)
    redone = int(rows[0]["fold"]) - 1
    capsys.readouterr()
    main(_arguments(phantom, tmp_path))  # the fold whose map is gone is evaluated again, and nothing changes
    assert f"fold {2 - redone} of 2: finished earlier" in capsys.readouterr().out
    assert [file.stat().st_mtime_ns != time for file, time in zip(weights, times, strict=True)] == [
        number == redone for number in (0, 1)
    ]
    same = json.loads(before)
    again = json.loads((tmp_path / "metrics.json").read_bytes())
    assert {name: again[name] for name in same if name not in ("folds", "over_folds")} == {
        name: same[name] for name in same if name not in ("folds", "over_folds")
    }

    with pytest.raises(SystemExit, match=r"error: .*the earlier run had .*overrides.*begin anew in another --out"):
        main(_arguments(phantom, tmp_path, "--max_epochs", "2"))


def test_detections_are_pooled(phantom: Path, tmp_path: Path) -> None:
    find = {"_target_": "medad.anomaly_map.FindCandidatesd", "spatial_dims": 2, "threshold": 0.3}
    steps = "$@map_postprocessing + @mask_postprocessing + [@find]"
    overlay = {
        "find": {**find, "candidates_key": "detections"},
        "postprocessing": {"_target_": "Compose", "transforms": steps},
    }
    (tmp_path / "detect.json").write_text(json.dumps(overlay))
    out = tmp_path / "out"
    main(_arguments(phantom, out, "--overlay", str(tmp_path / "detect.json"), "--without_maps"))
    metrics = json.loads((out / "metrics.json").read_text())
    singles = [fold["froc"]["n"] for fold in metrics["folds"].values()]
    assert metrics["froc"]["n"] == {name: singles[0][name] + singles[1][name] for name in singles[0]}
    assert metrics["froc"]["n"]["images"] == 18 and metrics["froc"]["n"]["lesions"] >= 5
    assert len(_rows(out / "froc.csv")) > 0 and "Free-response ROC" in (out / "report.html").read_text()
    assert not [path for path in (out / "fold_1" / "evaluation").iterdir() if path.is_dir()]


def test_what_cannot_be_run_is_said_before_any_training(phantom: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for more, message in (
        (["--folds", "19"], "19 folds of 18 subjects"),
        (["--folds", "1"], "1 folds of 18 subjects"),
        (["--validation_fraction", "2"], "validation_fraction: 2 given"),
        (["--image_false_positive_rate", "0.05"], r"fold_1: . normal images for calibration.*at least 19"),
        (
            ["--guarantee", "any_image_of_subject", "--image_false_positive_rate", "0.05"],
            "normal subjects for calibration",
        ),
        (["--guarantee", "any"], "guarantee: 'any' given. Expected image or one_image_of_subject or any"),
        (["--stage", "train_backbone"], "stages: train_backbone given"),
        (["--stage", "train", "train_classifier"], "no overlay 'train_classifier'"),
        (["--ckpt_dir", "somewhere"], "ckpt_dir given"),
        (["--max_epoch", "3"], "no key 'max_epoch'"),
        (["--bundle", str(tmp_path)], "no bundle there"),
        (["--dataset_dir", str(tmp_path / "nowhere")], "nowhere"),
    ):
        with pytest.raises(SystemExit, match=f"error: .*{message}"):
            main(_arguments(phantom, out, *more))
    assert not out.exists()


def test_a_data_set_without_labels_is_refused(phantom: Path, tmp_path: Path) -> None:
    items = _items(phantom)
    rows = [{"image": str(phantom / item["image"])} for item in items]
    (tmp_path / "datalist.json").write_text(json.dumps({"test": rows}))
    with pytest.raises(SystemExit, match=r"error: .*has no label"):
        main(_arguments(tmp_path, tmp_path / "out"))
