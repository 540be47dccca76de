# SPDX-License-Identifier: Apache-2.0
"""The documented commands, as a user types them: from the bundle, from the repository, on several ranks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from bundle_tools import ROOT, SmokeModel


def _run(
    cwd: Path, *arguments: str, launcher: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *launcher, "monai.bundle", "run", *arguments]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False
    )


def _options(**overrides: object) -> list[str]:
    return [part for key, value in overrides.items() for part in (f"--{key}", str(value))]


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


def test_from_the_repository_root(smoke_model: SmokeModel, tmp_path: Path) -> None:
    root = os.path.relpath(smoke_model.bundle, ROOT)
    files = f"['{root}/configs/inference.json','{root}/configs/smoke.json']"
    done = _run(
        ROOT, "--bundle_root", root, "--config_file", files, *_options(output_dir=tmp_path / "out", **smoke_model.paths)
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").is_file()


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


@pytest.mark.slow
def test_two_ranks_equal_one_process(bundle: Path, phantom_2d: Path, smoke_model: SmokeModel, tmp_path: Path) -> None:
    launcher = ("torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m")
    paths = {"ckpt_path": tmp_path / "model.pt", "calibration_path": tmp_path / "calibration.json"}
    files = "['configs/train.json','configs/smoke.json','configs/multi_gpu_train.json']"
    options = _options(dataset_dir=phantom_2d, ckpt_dir=tmp_path, output_dir=tmp_path / "log", batch_size=4, **paths)
    done = _run(bundle, "--config_file", files, *options, launcher=launcher, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    assert all(torch.isfinite(value).all() for value in torch.load(tmp_path / "model.pt", weights_only=True).values())

    reports = []
    for name, extra, launch in (("one", [], ()), ("two", ["'configs/multi_gpu_evaluate.json'"], launcher)):
        files = ",".join(["'configs/train.json'", "'configs/evaluate.json'", "'configs/smoke.json'", *extra])
        options = _options(**{**smoke_model.paths, "output_dir": tmp_path / name})
        done = _run(bundle, "--config_file", f"[{files}]", *options, launcher=launch, OMP_NUM_THREADS="1")
        assert done.returncode == 0, done.stderr
        reports.append(json.loads((tmp_path / name / "metrics.json").read_text()))
        assert len((tmp_path / name / "scores.csv").read_text().splitlines()) == 7
    one, two = reports
    for name in one:
        if (
            isinstance(one[name], dict)
            and one[name].get("value") is not None
            and "second" not in name
            and "mem" not in name
        ):
            assert two[name]["value"] == pytest.approx(one[name]["value"], abs=1e-6), name
