# SPDX-License-Identifier: Apache-2.0
"""The documented commands, as a user types them: from the bundle, from the repository, with the launcher of torch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bundle_tools import ROOT, SmokeModel


def _run(
    cwd: Path, *arguments: str, launcher: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *launcher, "monai.bundle", "run", *arguments]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False
    )


def _options(**overrides: object) -> list[str]:
    return [part for key, value in overrides.items() for part in (f"--{key}", str(value))]


@pytest.mark.one_bundle
def test_from_the_bundle_directory(bundle: Path, phantom_2d: Path, tmp_path: Path) -> None:
    """With a named data set, as it is typed."""
    paths = {
        "ckpt_dir": tmp_path,
        "ckpt_path": tmp_path / "model.pt",
        "calibration_path": tmp_path / "calibration.json",
        "output_dir": tmp_path / "log",
    }
    files = "['configs/train.json','configs/smoke.json']"
    done = _run(bundle, "--config_file", files, *_options(dataset_dir={"heads": str(phantom_2d)}, **paths))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.pt").is_file()
    assert list(json.loads((tmp_path / "calibration.json").read_text())["groups"]) == ["heads"]
    assert not (bundle / "eval").exists() or not list((bundle / "eval").glob("*.csv"))


@pytest.mark.one_bundle
def test_from_the_repository_root(smoke_model: SmokeModel, tmp_path: Path) -> None:
    root = os.path.relpath(smoke_model.bundle, ROOT)
    files = f"['{root}/configs/inference.json','{root}/configs/smoke.json']"
    done = _run(
        ROOT, "--bundle_root", root, "--config_file", files, *_options(output_dir=tmp_path / "out", **smoke_model.paths)
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.one_bundle
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


def _torchrun(bundle: Path, names: str, *overrides: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run configs on two CPU processes, as docs/how_to/multi_gpu.md says."""
    files = ",".join(f"'configs/{name}.json'" for name in names.split())
    launcher = ("torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m")
    arguments = ["--config_file", f"[{files}]", *_options(**options), *overrides]
    return _run(bundle, *arguments, launcher=launcher, OMP_NUM_THREADS="1")


@pytest.mark.slow
@pytest.mark.one_bundle
def test_the_launcher_of_torch_trains(bundle: Path, phantom_2d: Path, tmp_path: Path) -> None:
    paths = {"dataset_dir": phantom_2d, "ckpt_dir": tmp_path, "output_dir": tmp_path / "log"}
    done = _torchrun(bundle, "train smoke multi_gpu_train", **paths)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("AnomalyTrainer - INFO - Engine run finished") == 2  # once on each rank
    assert json.loads((tmp_path / "calibration.json").read_text())["images"] == 20


@pytest.mark.slow
@pytest.mark.one_bundle
def test_a_rank_that_breaks_ends_the_run(smoke_model: SmokeModel, tmp_path: Path) -> None:
    broken = ("--evaluator#network", "$@network if dist.get_rank() == 0 else 1 / 0")
    names = "inference smoke multi_gpu_evaluate"
    done = _torchrun(smoke_model.bundle, names, *broken, **smoke_model.paths, output_dir=tmp_path)
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr
