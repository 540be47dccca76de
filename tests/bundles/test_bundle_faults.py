# SPDX-License-Identifier: Apache-2.0
"""What goes wrong around a run: malformed files, a kill at any moment, no network, other weights in the second half."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fuzz_doors
import numpy as np
import pytest
import torch
from bundle_tools import KINDS, ROOT, SmokeModel, build, fails_with, of_each_kind, other_weights, usually
from malformed import write_good, write_malformed
from medad.engines import CohortError
from medad.errors import CalibrationError, InputError
from medad.predict.__main__ import main as predict
from PIL import Image
from planted import PLANTED, write_planted

ROBUSTNESS = ROOT / "tests" / "robustness"
FEW = {"names": 30, "lists": 12, "calibrations": 12}
"""How many strange inputs `make test` tries of each kind: what takes a run of its own takes half a second."""
Infer = Callable[..., Path]


def _python(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    path = filter(None, (str(ROOT / "tests" / "bundles"), os.environ.get("PYTHONPATH")))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=400,
        check=False,
    )


def _cases(table: Path) -> dict[str, dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


@pytest.mark.slow
@pytest.mark.one_bundle
def test_a_cohort_of_malformed_and_good_files(smoke_model: SmokeModel, tmp_path: Path) -> None:
    """The command that a user types: one row per case in one of two tables, no traceback, status 1."""
    malformed = write_malformed(tmp_path / "images", 120)
    good = write_good(tmp_path / "images", "good_")
    options = {**smoke_model.paths, "dataset_dir": tmp_path / "images", "output_dir": tmp_path / "out"}
    done = _python(
        *("-m", "monai.bundle", "run", "--recursive", "true"),
        *("--config_file", "['configs/inference.json','configs/smoke.json']"),
        *(part for key, value in options.items() for part in (f"--{key}", value)),
        cwd=smoke_model.bundle,
    )
    assert done.returncode == 1, done.stderr[-3000:]
    assert "Traceback" not in done.stdout + done.stderr
    assert "cases failed; see failures.csv" in done.stderr.strip().splitlines()[-1]
    scores, failures = (_cases(tmp_path / "out" / name) for name in ("scores.csv", "failures.csv"))
    assert not set(scores) & set(failures)
    assert len(scores) + len(failures) >= len(malformed) + len(good) - 1  # the other end of a loop has no suffix
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == set(scores)
    assert sum("good_" in case for case in scores) == len(good)
    told = "\n".join([*(row["failure"] for row in failures.values()), done.stdout])  # what is no image is left out
    for path in malformed:
        number = path.name.partition("_")[0]
        assert str(path) in told or any(case.startswith(number) for case in scores), path
    for case, row in scores.items():
        assert np.isfinite(float(row["score"])), case


@pytest.mark.slow
@pytest.mark.each_kind
def test_killed_at_any_moment_and_resumed_nothing_is_different(bundle: Path, phantom_2d: Path, tmp_path: Path) -> None:
    usually(bundle, KINDS[0])
    done = _python(ROBUSTNESS / "kill_and_resume.py", bundle, phantom_2d, tmp_path, 0)
    assert done.returncode == 0, done.stderr[-3000:]
    kills = [line.split() for line in done.stdout.splitlines() if line.endswith(" kills")]
    assert [name for name, *_ in kills] == ["models:", "results:"]
    assert all(int(count) >= 10 for _, count, _ in kills)


@pytest.mark.slow
def test_nothing_opens_a_network_connection(phantom_2d: Path, tmp_path: Path) -> None:
    done = _python(ROBUSTNESS / "run_offline.py", phantom_2d, tmp_path, *of_each_kind())
    assert done.returncode == 0, done.stderr[-3000:]
    assert {f"{name} is done" for name in KINDS} <= set(done.stdout.splitlines())


def test_a_wish_for_the_network_is_noticed(tmp_path: Path) -> None:
    script = "import sys, run_offline, urllib.request; sys.addaudithook(run_offline.refuse)\n"
    script += "try: urllib.request.urlopen('http://localhost:9')\nexcept OSError: print(run_offline.attempts)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROBUSTNESS, capture_output=True, text=True, timeout=60, check=True
    )
    assert "urllib.Request" in done.stdout


@pytest.mark.each_kind
def test_a_run_is_not_continued_with_other_weights(infer: Infer, smoke_model: SmokeModel, tmp_path: Path) -> None:
    infer(tmp_path / "out")
    state = smoke_model.state
    torch.save(other_weights(state), tmp_path / "other.pt")
    (next((tmp_path / "out").glob("*/*_mask.npy"))).unlink()
    before = (tmp_path / "out" / "scores.csv").read_bytes()
    with fails_with(InputError, "the earlier run had weights_sha256"):
        infer(tmp_path / "out", ckpt_path=tmp_path / "other.pt", resume=True)
    with fails_with(InputError, "threshold None; this one has threshold 0.3"):
        infer(tmp_path / "out", threshold=0.3, resume=True)
    assert (tmp_path / "out" / "scores.csv").read_bytes() == before


@pytest.mark.one_bundle
def test_a_run_that_was_killed_behind_its_last_case_gets_its_tables(infer: Infer, tmp_path: Path) -> None:
    whole, part = infer(tmp_path / "whole"), infer(tmp_path / "part")
    lines = (part / "scores.csv").read_text().splitlines(keepends=True)
    (part / "scores.csv").write_text("".join([lines[0], *reversed(lines[1:])]))  # not sorted yet
    report = (part / "report.html").read_bytes()
    (part / "failures.csv").unlink()
    infer(part, resume=True)
    for name in ("scores.csv", "failures.csv"):
        assert (part / name).read_bytes() == (whole / name).read_bytes()
    assert (part / "report.html").read_bytes() == report
    (part / "report.html").unlink()
    infer(part, resume=True)
    assert (part / "report.html").is_file()


@pytest.mark.each_kind
def test_a_bad_validation_image_is_told_before_training(bundle: Path, phantom_2d: Path, tmp_path: Path) -> None:
    datalist = json.loads((phantom_2d / "datalist.json").read_text())
    for rows in datalist.values():
        for row in rows if isinstance(rows, list) else []:
            row |= {key: str(phantom_2d / row[key]) for key in ("image", "mask", "foreground") if row.get(key)}
    (tmp_path / "broken.png").write_bytes(b"no picture")
    datalist["calibration"].append({"image": "broken.png", "label": 0})
    (tmp_path / "datalist.json").write_text(json.dumps(datalist))
    paths: dict[str, Any] = {"dataset_dir": tmp_path, "ckpt_dir": tmp_path / "m", "output_dir": tmp_path / "o"}
    with fails_with(InputError, "1 images cannot be used. First: " + str(tmp_path / "broken.png")):
        build(bundle, "train smoke", **paths).run()
    assert not (tmp_path / "m" / "training_state.pt").exists()
    assert not (tmp_path / "m" / "model.pt").exists()


@pytest.mark.one_bundle
def test_pictures_of_several_frames_share_a_run_with_others(
    infer: Infer, smoke_model: SmokeModel, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    items = json.loads((smoke_model.data / "datalist.json").read_text())["test"]
    pixels = [np.asarray(Image.open(smoke_model.data / item["image"])) for item in items]
    frames = [Image.fromarray((each / each.max() * 255).astype(np.uint8)) for each in pixels]
    for name, count in (("a.png", 1), ("b.png", 3), ("c.png", 1), ("d.gif", 2), ("e.jpg", 1)):
        several = {"save_all": True, "append_images": frames[1:count]} if count > 1 else {}
        frames[0].save(folder / name, **several)
    frames[1].save(folder / "f.jpg", format="MPO", save_all=True, append_images=[frames[2].resize((32, 32))])
    out = infer(tmp_path / "out", dataset_dir=folder, batch_size=4)
    assert set(_cases(out / "scores.csv")) == set("abcdef")
    assert (out / "b" / "b_mask.nii.gz").is_file() and (out / "f" / "f_mask.png").is_file()


@pytest.mark.one_bundle
def test_marks_of_a_wrong_type_cost_their_case(smoke_model: SmokeModel, tmp_path: Path) -> None:
    rows = json.loads((smoke_model.data / "datalist.json").read_text())["test"]
    for row in rows:
        row |= {key: str(smoke_model.data / row[key]) for key in ("image", "mask", "foreground") if row.get(key)}
    abnormal = [row for row in rows if row["label"] == 1]
    abnormal[0] |= {"circles": "none"}
    rows[0] |= {"detections": 5, "anomaly_score": "high", "failure": True}
    (tmp_path / "datalist.json").write_text(json.dumps({"test": rows}))
    with fails_with(CohortError, f"1 of {len(rows)} cases failed"):
        paths = {**smoke_model.paths, "dataset_dir": tmp_path, "output_dir": tmp_path / "out"}
        build(smoke_model.bundle, "train evaluate smoke", **paths).run()
    assert len(_cases(tmp_path / "out" / "scores.csv")) == len(rows) - 1
    assert (tmp_path / "out" / "report.html").is_file() and (tmp_path / "out" / "metrics.json").is_file()


@pytest.mark.one_bundle
@pytest.mark.parametrize("content", ["[]", '{"format": 5', '{"settings": 5}'])
def test_a_malformed_calibration_leaves_maps_and_scores(
    infer: Infer, smoke_model: SmokeModel, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "calibration.json"
    good = json.loads((smoke_model.models / "calibration.json").read_text())
    path.write_text(json.dumps({**good, **json.loads(content)}) if content.endswith("}") else content)
    with fails_with(CalibrationError, "cannot be read as a calibration"):
        infer(tmp_path / "out", calibration_path=path)
    scores = _cases(tmp_path / "out" / "scores.csv")
    assert len(scores) == 6 and not any(row["decision"] for row in scores.values())
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.parametrize("name", ["names", "lists", "calibrations"])
@pytest.mark.parametrize("count", [None, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.one_bundle
def test_strange_names_lists_and_calibrations(
    smoke_model: SmokeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, count: int | None
) -> None:
    """A right result, or one clear error; what can be judged is judged, and nothing is run."""
    faults = fuzz_doors.main(name, count or FEW[name], 2, smoke_model.models, tmp_path / "fuzz")
    assert not faults, capsys.readouterr().out


@pytest.mark.one_bundle
def test_results_of_refused_dicom_files_quote_no_header(
    smoke_model: SmokeModel, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    write_planted(tmp_path / "images", every=9)
    arguments = ["--bundle", str(smoke_model.bundle), "--overlay", "smoke", "--num_workers", "0", "--recursive", "true"]
    paths = {key: path for key, path in smoke_model.paths.items() if key != "dataset_dir"}
    arguments += [part for key, value in paths.items() for part in (f"--{key}", value)]
    capfd.readouterr(), caplog.clear()
    with pytest.raises(SystemExit, match="cases failed"):
        predict([str(tmp_path / "images"), "--out", str(tmp_path / "out"), *arguments])
    assert len(_cases(tmp_path / "out" / "failures.csv")) > 5
    tables = [path for path in (tmp_path / "out").iterdir() if path.is_file()]
    assert {"report.html", "run.json", "failures.csv", "scores.csv"} <= {path.name for path in tables}
    said = [*capfd.readouterr(), caplog.text, *(path.read_text(errors="replace") for path in tables)]
    assert not [text for text in said if PLANTED in text]
