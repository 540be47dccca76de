# SPDX-License-Identifier: Apache-2.0
"""Two ranks do what one does: training with an uneven share, calibration, evaluation, inference with a bad case."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from bundle_tools import ROOT, SmokeModel, State, build, fails_with, reconstructs
from medad.engines import CohortError
from ranks import Outcome, on_ranks

pytestmark = pytest.mark.slow


def _on_two_ranks(bundle: Path, names: str, output_dir: Path, **overrides: Any) -> Outcome:
    """Run configs on two CPU processes."""
    kind = "infer" if names.startswith("inference") else "train"

    def work() -> None:
        workflow = build(bundle, names, kind, output_dir=output_dir, **overrides)
        workflow.run()
        workflow.finalize()

    return on_ranks(work, output_dir.with_name(f"{output_dir.name}_{names.split()[-1]}.log"))


def _subset(folder: Path, data: Path, **counts: int) -> Path:
    """A data set with the first images of some splits of another one."""
    splits = json.loads((data / "datalist.json").read_text())
    folder.mkdir()
    rows = {name: splits[name][:n] for name, n in counts.items()}
    for row in (row for split in rows.values() for row in split):
        row |= {key: str(data / row[key]) for key in ("image", "mask") if row.get(key)}
    (folder / "datalist.json").write_text(json.dumps(rows))
    return folder


@pytest.mark.each_kind
def test_two_ranks_train_calibrate_and_resume(bundle: Path, phantom_2d: Path, tmp_path: Path) -> None:
    """Seven images for two ranks, an idle rank in validation and calibration, an interruption, and no trace of it."""
    uneven = _subset(tmp_path / "uneven", phantom_2d, training=7, training_abnormal=1, calibration=3)
    fewer = _subset(tmp_path / "fewer", phantom_2d, training=7, training_abnormal=1, calibration=1)

    def train(name: str, data: Path, epochs: int, **options: Any) -> State:
        folder, log = tmp_path / name, tmp_path / f"log_{name}_{epochs}"
        length = {"train#trainer#max_epochs": epochs, "batch_size": 4}
        names = "train smoke multi_gpu_train"
        done = _on_two_ranks(bundle, names, log, dataset_dir=data, ckpt_dir=folder, **length, **options)
        assert not done.failed, done.said
        assert done.said.count("AnomalyTrainer - INFO - Engine run finished") == 2  # once on each rank
        writers = {path.name.split(".")[-2] for path in log.glob("events*")}
        assert len(writers) == 1, "one process logs"
        state: State = torch.load(folder / "model.pt", weights_only=True)
        assert all(torch.isfinite(value).all() for value in state.values())
        return state

    whole = train("whole", uneven, 2)
    training_state = torch.load(tmp_path / "whole" / "training_state.pt", weights_only=True)
    steps = {int(state["step"]) for state in training_state["objects"]["optimizer"]["state"].values()}
    assert steps == {2}, "one step per epoch: each rank has four of the seven images, one of them twice"
    train("stopped", fewer, 1)
    assert json.loads((tmp_path / "stopped" / "calibration.json").read_text())["images"] == 1
    resumed = train("stopped", uneven, 2, resume=True)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)

    joined = json.loads((tmp_path / "whole" / "calibration.json").read_text())
    paths = {"ckpt_dir": tmp_path / "whole", "calibration_path": tmp_path / "one.json", "output_dir": tmp_path / "log"}
    build(bundle, "train calibrate smoke", dataset_dir=uneven, **paths).run()
    alone = json.loads((tmp_path / "one.json").read_text())
    # a batch of another size may change a map's last bit, and with it the bin of the histogram that is a threshold
    tolerances = {"scores": 1e-5, "subject_maxima": 1e-5, "voxel_rates": 1e-5, "voxel_thresholds": 2**-14}
    for name, tolerance in tolerances.items():
        assert joined.pop(name) == pytest.approx(alone.pop(name), rel=tolerance), name
    assert joined == alone


def test_two_ranks_train_a_cascade(phantom_2d: Path, tmp_path: Path) -> None:
    """Both stages, drawn with weights on every rank; each leaves weights that the next one loads."""
    bundle = ROOT / "bundles" / "microcalcification_cascade"
    options = {"dataset_dir": phantom_2d, "ckpt_dir": tmp_path, "candidate_threshold": 0.3}
    for number, names in enumerate(("train smoke multi_gpu_train", "train train_classifier smoke multi_gpu_train")):
        done = _on_two_ranks(bundle, names, tmp_path / f"stage_{number}", **options)
        assert not done.failed, done.said
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    assert int(state["classifier_trained"]) == 1
    assert json.loads((tmp_path / "calibration.json").read_text())["images"] == 20


@pytest.mark.each_kind
def test_two_ranks_evaluate_as_one(smoke_model: SmokeModel, tmp_path: Path) -> None:
    paths = {"ckpt_dir": smoke_model.models, "dataset_dir": smoke_model.data}
    build(smoke_model.bundle, "train evaluate smoke", **paths, output_dir=tmp_path / "one").run()
    done = _on_two_ranks(smoke_model.bundle, "train evaluate smoke multi_gpu_evaluate", tmp_path / "two", **paths)
    assert not done.failed, done.said
    assert (tmp_path / "two" / "report.html").is_file()
    assert len((tmp_path / "two" / "scores.csv").read_text().splitlines()) == 7
    one, two = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("one", "two"))
    compared = 0
    for name, metric in one.items():
        if name in ("seconds_per_case", "peak_memory_mb") or not isinstance(metric, dict) or "value" not in metric:
            continue
        compared += 1
        for bound in ("value", "low", "high"):
            assert two[name][bound] == pytest.approx(metric[bound], abs=1e-6), f"{name}, {bound}"
    assert compared >= 10 and one["n"] == two["n"]


@pytest.mark.each_kind
def test_two_ranks_judge_several_data_sets_as_one(smoke_model: SmokeModel, tmp_path: Path) -> None:
    """Calibration and evaluation of each set, whichever rank its images come to."""
    other = shutil.copytree(smoke_model.data, tmp_path / "other")
    paths = {"ckpt_path": smoke_model.models / "model.pt", "dataset_dir": {"a": str(smoke_model.data), "b": str(other)}}
    options = {name: {**paths, "calibration_path": tmp_path / f"{name}.json"} for name in ("one", "two")}
    build(smoke_model.bundle, "train calibrate smoke", **options["one"], output_dir=tmp_path).run()
    build(smoke_model.bundle, "train evaluate smoke", **options["one"], output_dir=tmp_path / "one").run()
    for overlay, folder in (("calibrate", tmp_path / "log"), ("evaluate", tmp_path / "two")):
        done = _on_two_ranks(smoke_model.bundle, f"train {overlay} smoke multi_gpu_evaluate", folder, **options["two"])
        assert not done.failed, done.said
    one, two = (json.loads((tmp_path / f"{name}.json").read_text())["groups"] for name in ("one", "two"))
    assert list(one) == list(two) == ["a", "b"]
    for name in one:
        assert one[name]["scores"] == pytest.approx(two[name]["scores"], rel=1e-5)
        assert one[name]["data_sha256"] == two[name]["data_sha256"]
    one, two = (json.loads((tmp_path / name / "metrics.json").read_text())["datasets"] for name in ("one", "two"))
    for name in ("a", "b"):
        assert one[name]["n"] == two[name]["n"] and one[name]["n"]["images"] == 6
        for metric in ("image_auroc", "pixel_ap", "false_positive_rate"):
            assert one[name][metric]["value"] == pytest.approx(two[name][metric]["value"], abs=1e-6)
    tables = [(tmp_path / name / "scores.csv").read_text().splitlines() for name in ("one", "two")]
    assert [[row.split(",")[:2] for row in rows] for rows in tables] == [
        [["case", "dataset"], *([f"{name}_test_{i:05d}", name] for name in "ab" for i in range(6))]
    ] * 2


@pytest.mark.each_kind
def test_two_ranks_infer_as_one_with_a_bad_case(smoke_model: SmokeModel, tmp_path: Path) -> None:
    """The second rank has the bad case; its failure must not cost what the first rank still has to write."""
    images = tmp_path / "images"
    images.mkdir()
    items = json.loads((smoke_model.data / "datalist.json").read_text())["test"][:5]
    for item in items:
        shutil.copy(smoke_model.data / item["image"], images)
    sorted(images.iterdir())[1].write_bytes(b"not a picture")
    options = {**smoke_model.paths, "dataset_dir": images, "batch_size": 1}
    one, two = tmp_path / "one", tmp_path / "two"
    with fails_with(CohortError, "1 of 5 cases failed"):
        build(smoke_model.bundle, "inference smoke", "infer", **options, output_dir=one).run()
    done = _on_two_ranks(smoke_model.bundle, "inference smoke multi_gpu_evaluate", two, **options)
    assert done.failed
    assert done.said.count("error: 1 of 5 cases failed") == 2  # the same outcome on both ranks
    assert (two / "report.html").is_file() and not list(two.rglob("*.partial"))
    files = [path.relative_to(one) for path in one.rglob("*") if path.suffix in (".csv", ".npy")]
    assert len(files) == 2 + 4 * (3 if reconstructs(smoke_model.bundle) else 2)  # tables; map, mask, reconstruction
    for file in files:
        assert (one / file).read_bytes() == (two / file).read_bytes(), file
