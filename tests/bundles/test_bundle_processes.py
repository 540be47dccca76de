# SPDX-License-Identifier: Apache-2.0
"""The documented commands, as a user types them: from the bundle, from the repository, on several ranks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from bundle_tools import ROOT, SmokeModel, build, fails_with, reconstructs
from medad.engines import CohortError


def _run(
    cwd: Path, *arguments: str, launcher: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *launcher, "monai.bundle", "run", *arguments]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False
    )


def _options(**overrides: object) -> list[str]:
    return [part for key, value in overrides.items() for part in (f"--{key}", str(value))]


@pytest.mark.shared_machinery
def test_from_the_bundle_directory(bundle: Path, phantom_2d: Path, tmp_path: Path) -> None:
    paths = {
        "ckpt_dir": tmp_path,
        "ckpt_path": tmp_path / "model.pt",
        "calibration_path": tmp_path / "calibration.json",
        "output_dir": tmp_path / "log",
    }
    files = "['configs/train.json','configs/smoke.json']"
    done = _run(bundle, "--config_file", files, *_options(dataset_dir=phantom_2d, **paths))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.pt").is_file() and (tmp_path / "calibration.json").is_file()
    assert not (bundle / "eval").exists() or not list((bundle / "eval").glob("*.csv"))


@pytest.mark.shared_machinery
def test_from_the_repository_root(smoke_model: SmokeModel, tmp_path: Path) -> None:
    root = os.path.relpath(smoke_model.bundle, ROOT)
    files = f"['{root}/configs/inference.json','{root}/configs/smoke.json']"
    done = _run(
        ROOT, "--bundle_root", root, "--config_file", files, *_options(output_dir=tmp_path / "out", **smoke_model.paths)
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.shared_machinery
def test_an_error_for_the_user_is_one_message(smoke_model: SmokeModel, tmp_path: Path) -> None:
    files = "['configs/inference.json','configs/smoke.json']"
    done = _run(
        smoke_model.bundle,
        "--config_file",
        files,
        *_options(**{**smoke_model.paths, "dataset_dir": tmp_path / "nowhere", "output_dir": tmp_path / "out"}),
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "error: " in done.stderr and "nowhere" in done.stderr


def _on_two_ranks(bundle: Path, names: str, *overrides: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run configs on two CPU processes, as docs/how_to/multi_gpu.md says."""
    files = ",".join(f"'configs/{name}.json'" for name in names.split())
    launcher = ("torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m")
    arguments = ["--config_file", f"[{files}]", *_options(**options), *overrides]
    return _run(bundle, *arguments, launcher=launcher, OMP_NUM_THREADS="1")


def _subset(folder: Path, data: Path, **counts: int) -> Path:
    """A data set with the first images of some splits of another one."""
    splits = json.loads((data / "datalist.json").read_text())
    folder.mkdir()
    rows = {name: splits[name][:n] for name, n in counts.items()}
    for row in (row for split in rows.values() for row in split):
        row |= {key: str(data / row[key]) for key in ("image", "mask") if row.get(key)}
    (folder / "datalist.json").write_text(json.dumps(rows))
    return folder


@pytest.mark.slow
@pytest.mark.each_kind
def test_two_ranks_train_calibrate_and_resume(bundle: Path, phantom_2d: Path, tmp_path: Path) -> None:
    """Seven images for two ranks, an idle rank in validation and calibration, an interruption, and no trace of it."""
    uneven = _subset(tmp_path / "uneven", phantom_2d, training=7, training_abnormal=1, calibration=3)
    fewer = _subset(tmp_path / "fewer", phantom_2d, training=7, training_abnormal=1, calibration=1)

    def train(name: str, data: Path, epochs: int, **options: object) -> dict[str, torch.Tensor]:
        folder, log = tmp_path / name, tmp_path / f"log_{name}_{epochs}"
        done = _on_two_ranks(
            bundle,
            "train smoke multi_gpu_train",
            *("--train#trainer#max_epochs", str(epochs)),
            **{"dataset_dir": data, "ckpt_dir": folder, "output_dir": log, "batch_size": 4, **options},
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("AnomalyTrainer - INFO - Engine run finished") == 2  # once on each rank
        writers = {path.name.split(".")[-2] for path in log.glob("events*")}
        assert len(writers) == 1, "one process logs"
        state: dict[str, torch.Tensor] = torch.load(folder / "model.pt", weights_only=True)
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
    for name, tolerance in (("scores", 1e-5), ("voxel_rates", 1e-5), ("voxel_thresholds", 2**-14)):
        assert joined.pop(name) == pytest.approx(alone.pop(name), rel=tolerance), name
    assert joined == alone


@pytest.mark.slow
def test_two_ranks_train_a_cascade(phantom_2d: Path, tmp_path: Path) -> None:
    """Both stages, drawn with weights on every rank; each leaves weights that the next one loads."""
    bundle = ROOT / "bundles" / "microcalcification_cascade"
    paths = {"dataset_dir": phantom_2d, "ckpt_dir": tmp_path, "output_dir": tmp_path / "log"}
    for names in ("train smoke multi_gpu_train", "train train_classifier smoke multi_gpu_train"):
        done = _on_two_ranks(bundle, names, **paths, candidate_threshold=0.3)
        assert done.returncode == 0, done.stderr
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    assert int(state["classifier_trained"]) == 1
    assert json.loads((tmp_path / "calibration.json").read_text())["images"] == 20


@pytest.mark.slow
@pytest.mark.each_kind
def test_two_ranks_evaluate_as_one(smoke_model: SmokeModel, tmp_path: Path) -> None:
    paths = {"ckpt_dir": smoke_model.models, "dataset_dir": smoke_model.data}
    build(smoke_model.bundle, "train evaluate smoke", **paths, output_dir=tmp_path / "one").run()
    done = _on_two_ranks(
        smoke_model.bundle, "train evaluate smoke multi_gpu_evaluate", **paths, output_dir=tmp_path / "two"
    )
    assert done.returncode == 0, done.stderr
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


@pytest.mark.slow
@pytest.mark.each_kind
def test_two_ranks_judge_several_data_sets_as_one(smoke_model: SmokeModel, tmp_path: Path) -> None:
    """Given as a user types it; calibration and evaluation of each set, whichever rank its images come to."""
    other = shutil.copytree(smoke_model.data, tmp_path / "other")
    paths = {"ckpt_path": smoke_model.models / "model.pt", "dataset_dir": {"a": str(smoke_model.data), "b": str(other)}}
    options = {name: {**paths, "calibration_path": tmp_path / f"{name}.json"} for name in ("one", "two")}
    build(smoke_model.bundle, "train calibrate smoke", **options["one"], output_dir=tmp_path).run()
    build(smoke_model.bundle, "train evaluate smoke", **options["one"], output_dir=tmp_path / "one").run()
    for overlay, folder in (("calibrate", tmp_path), ("evaluate", tmp_path / "two")):
        names = f"train {overlay} smoke multi_gpu_evaluate"
        done = _on_two_ranks(smoke_model.bundle, names, **options["two"], output_dir=folder)
        assert done.returncode == 0, done.stderr
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


@pytest.mark.slow
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
    done = _on_two_ranks(smoke_model.bundle, "inference smoke multi_gpu_evaluate", **options, output_dir=two)
    assert done.returncode == 1
    assert done.stderr.count("error: 1 of 5 cases failed") == 2  # the same outcome on both ranks
    assert (two / "report.html").is_file() and not list(two.rglob("*.partial"))
    files = [path.relative_to(one) for path in one.rglob("*") if path.suffix in (".csv", ".npy")]
    assert len(files) == 2 + 4 * (3 if reconstructs(smoke_model.bundle) else 2)  # tables; map, mask, reconstruction
    for file in files:
        assert (one / file).read_bytes() == (two / file).read_bytes(), file


@pytest.mark.slow
@pytest.mark.each_kind
def test_a_rank_that_breaks_ends_the_run(smoke_model: SmokeModel, tmp_path: Path) -> None:
    broken = ("--evaluator#network", "$@network if dist.get_rank() == 0 else 1 / 0")
    names = "inference smoke multi_gpu_evaluate"
    done = _on_two_ranks(smoke_model.bundle, names, *broken, **smoke_model.paths, output_dir=tmp_path)
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr
