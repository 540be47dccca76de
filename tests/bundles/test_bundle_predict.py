# SPDX-License-Identifier: Apache-2.0
"""Every bundle from Python and through ``python -m medad.predict``: the same results as ``monai.bundle run``."""

import csv
import doctest
import filecmp
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from bundle_tools import BUNDLES, ROOT, SmokeModel, reconstructs
from medad.errors import CalibrationError, InputError
from medad.predict import AnomalyDetector, AnomalyResult
from medad.predict.__main__ import main
from monai.data import MetaTensor
from PIL import Image

Infer = Callable[..., Path]


@pytest.fixture
def detector(smoke_model: SmokeModel) -> AnomalyDetector:
    """The smoke model from Python."""
    return _detector(smoke_model)


def _detector(model: SmokeModel, **overrides: Any) -> AnomalyDetector:
    paths = {key: path for key, path in model.paths.items() if key != "dataset_dir"}
    return AnomalyDetector(model.bundle, overlays=["smoke"], **{**paths, **overrides})


def _pictures(model: SmokeModel) -> list[Path]:
    items = json.loads((model.data / "datalist.json").read_text())["test"]
    return [model.data / item["image"] for item in items]


def _volume(folder: Path, model: SmokeModel, depth: int = 6, axes: str = "PIR") -> Path:
    slices = [np.asarray(Image.open(path), dtype=np.int16).T for path in _pictures(model)]
    lps = nibabel.Nifti1Image(np.stack(slices[:depth], axis=-1), np.diag([-0.9, -1.1, 5.0, 1.0]))
    ornt = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(lps.affine), nibabel.orientations.axcodes2ornt(axes)
    )
    nibabel.save(lps.as_reoriented(ornt), folder / "head.nii.gz")
    return folder / "head.nii.gz"


def _rows(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "scores.csv").open(newline="") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def _written(folder: Path, case: str, what: str) -> np.ndarray:
    path = folder / case / f"{case}_{what}"
    nifti = path.with_name(f"{path.name}.nii.gz")
    return np.asarray(nibabel.load(nifti).dataobj) if nifti.is_file() else np.load(f"{path}.npy")


def _assert_same(result: AnomalyResult, folder: Path, rebuilt: bool) -> None:
    """The result, with a reconstruction or without, equals the files and the row of its case bit for bit."""
    row = _rows(folder)[result.case]
    assert (f"{result.score:.9g}", f"{result.p_value:.6g}") == (row["score"], row["p_value"])
    assert str(result.decision) == row["decision"]
    assert (result.reconstruction is not None) == rebuilt == any((folder / result.case).glob("*_reconstruction*"))
    for what in ("anomaly_map", "mask", *(["reconstruction"] if rebuilt else [])):
        written, array = _written(folder, result.case, what), getattr(result, what)
        assert array.dtype == written.dtype, what
        np.testing.assert_array_equal(array, written, err_msg=what)


def test_pictures_equal_the_bundle_run(
    detector: AnomalyDetector, infer: Infer, smoke_model: SmokeModel, tmp_path: Path
) -> None:
    cohort = infer(tmp_path / "cohort")
    results = list(detector.map(_pictures(smoke_model)))
    assert len(results) == 6
    for result in results:
        _assert_same(result, cohort, reconstructs(smoke_model.bundle))
    path = _pictures(smoke_model)[0]
    _assert_same(detector(path), infer(tmp_path / "alone", dataset_dir=path), reconstructs(smoke_model.bundle))


def test_a_volume_equals_the_bundle_run(
    detector: AnomalyDetector, infer: Infer, smoke_model: SmokeModel, tmp_path: Path
) -> None:
    path = _volume(tmp_path, smoke_model)
    out = infer(tmp_path / "out", dataset_dir=path)
    result = detector(str(path))
    _assert_same(result, out, reconstructs(smoke_model.bundle))
    source = nibabel.load(path)
    np.testing.assert_allclose(result.affine, source.affine, atol=1e-6)
    mixed = list(detector.map([_pictures(smoke_model)[0], path, path]))
    for again in mixed[1:]:
        _assert_same(again, out, reconstructs(smoke_model.bundle))


def test_an_array_goes_the_way_of_its_file(detector: AnomalyDetector, smoke_model: SmokeModel, tmp_path: Path) -> None:
    picture = _pictures(smoke_model)[0]
    pixels = np.array(Image.open(picture))
    volume = nibabel.load(_volume(tmp_path, smoke_model))
    voxels = np.asarray(volume.dataobj)
    channel_first = MetaTensor(torch.from_numpy(voxels[None]), affine=volume.affine)
    for file, arrays in {
        picture: [
            (pixels, {}, np.asarray),
            (torch.from_numpy(pixels), {}, np.asarray),
            (pixels.astype(np.float64)[None], {"channel_axis": 0}, np.asarray),
            (np.stack([pixels] * 3, axis=-1), {"channel_axis": -1}, np.asarray),  # gray saved as color
            (MetaTensor(torch.from_numpy(pixels.T[None]), affine=np.diag([-1, -1, 1, 1])), {}, np.transpose),
        ],
        tmp_path / "head.nii.gz": [
            (voxels, {"affine": volume.affine}, np.asarray),
            (voxels[..., None], {"affine": volume.affine, "channel_axis": -1}, np.asarray),
            (channel_first, {}, np.asarray),
        ],
    }.items():
        expected = detector(file)
        for array, options, turn in arrays:
            result = detector(array, **options)
            assert (result.score, result.p_value, result.decision) == (
                expected.score,
                expected.p_value,
                expected.decision,
            )
            np.testing.assert_array_equal(turn(result.anomaly_map), expected.anomaly_map)
            np.testing.assert_array_equal(turn(result.mask), expected.mask)
    flipped = detector(voxels, affine=np.diag([1, 1, 1, 1]))
    assert not np.array_equal(flipped.anomaly_map, expected.anomaly_map)


@pytest.mark.one_bundle
@pytest.mark.real_data
def test_a_dicom_series(
    detector: AnomalyDetector,
    infer: Infer,
    real_data: Path,
    tmp_path: Path,
) -> None:
    folder = real_data / "dicom" / "head_torchio_17"
    out = infer(tmp_path / "out", dataset_dir=folder)
    (row,) = _rows(out).values()
    series = next(path for path in sorted(folder.rglob("*")) if path.is_file())
    result = detector(series)
    assert f"{result.score:.9g}" == row["score"] and result.anomaly_map.ndim == 3
    np.testing.assert_array_equal(result.anomaly_map, _written(out, row["case"], "anomaly_map"))


@pytest.mark.each_kind
def test_without_calibration_there_are_map_and_score(smoke_model: SmokeModel, tmp_path: Path) -> None:
    path = _pictures(smoke_model)[0]
    full = _detector(smoke_model)(path)
    result = _detector(smoke_model, calibration_path=str(tmp_path / "nothing.json"))(path)
    assert result.score == full.score and "p_value=None" in repr(result)
    np.testing.assert_array_equal(result.anomaly_map, full.anomaly_map)
    for name in ("mask", "p_value", "decision"):
        with pytest.raises(CalibrationError, match=r"calibrate\.json"):
            getattr(result, name)
    given = _detector(smoke_model, calibration_path=str(tmp_path / "nothing.json"), threshold=0.1)(path)
    assert given.p_value is None and given.decision is None
    assert not given.mask[given.anomaly_map <= 0.1].any()


@pytest.mark.each_kind
def test_overrides_reach_the_configuration(smoke_model: SmokeModel) -> None:
    path = _pictures(smoke_model)[0]
    p_value = _detector(smoke_model)(path).p_value
    assert p_value is not None
    rates = (0.99, max(1 / 21, p_value * 0.9))
    decisions = [_detector(smoke_model, image_false_positive_rate=rate)(path).decision for rate in rates]
    assert decisions == [1, int(p_value <= rates[1] * (1 + 1e-9))]
    few, many = (_detector(smoke_model, voxel_false_positive_rate=rate)(path).mask.sum() for rate in (1e-3, 0.5))
    assert few < many


@pytest.mark.one_bundle
def test_errors_are_for_the_caller(detector: AnomalyDetector, smoke_model: SmokeModel, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    for image, match in (
        (tmp_path / "broken.png", r"broken\.png"),
        (tmp_path / "missing.nii.gz", r"missing\.nii\.gz"),
        (np.zeros((32, 32)), "constant"),
        (np.full((32, 32), np.nan), "NaN"),
        (np.random.default_rng(0).random((32, 32, 3)), "channel_axis"),
    ):
        with pytest.raises(InputError, match=match):
            detector(image)
    with pytest.raises(InputError, match=r"train\.json"):
        _detector(smoke_model, ckpt_path=str(tmp_path / "missing.pt"))
    with pytest.raises(InputError, match="'threshold' in place of 'thresholds'"):
        _detector(smoke_model, thresholds=0.1)
    with pytest.raises(InputError, match=r"image_false_positive_rate=5: must lie in \(0, 1\)"):
        _detector(smoke_model, image_false_positive_rate=5)
    with pytest.raises(InputError, match="overlays"):
        AnomalyDetector(smoke_model.bundle, ckpt_path=smoke_model.paths["ckpt_path"], device="cpu")


@pytest.mark.each_kind
def test_a_call_leaves_the_process_alone(detector: AnomalyDetector, smoke_model: SmokeModel) -> None:
    hook, state = sys.excepthook, torch.get_rng_state()
    detector(_pictures(smoke_model)[0])
    assert sys.excepthook is hook and torch.equal(torch.get_rng_state(), state) and torch.is_grad_enabled()


def _door(model: SmokeModel, source: Path, out: Path, *options: str) -> None:
    paths = [part for key, path in model.paths.items() if key != "dataset_dir" for part in (f"--{key}", path)]
    main([str(source), "--bundle", str(model.bundle), "--overlay", "smoke", "--out", str(out), *paths, *options])


@pytest.mark.each_kind
def test_the_door_writes_what_the_bundle_run_writes(
    infer: Infer, smoke_model: SmokeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for path in _pictures(smoke_model):
        shutil.copy(path, folder)
    expected = infer(tmp_path / "expected", dataset_dir=folder, image_false_positive_rate=0.5, batch_size=1)
    out = tmp_path / "out"
    options = ("--image_false_positive_rate", "0.5", "--device=cpu", "--batch_size", "1")
    _door(smoke_model, folder, out, *options)
    files = sorted(path.relative_to(expected) for path in expected.rglob("*") if path.is_file())
    same, different, missing = filecmp.cmpfiles(expected, out, files, shallow=False)
    assert not different and not missing and len(same) > 6 * 4
    abnormal = sum(row["decision"] == "1" for row in _rows(expected).values())
    shown = capsys.readouterr().out
    assert "\n6 cases: " in shown and (f"{abnormal} abnormal" in shown or not abnormal)
    assert str(out / "report.html") in shown

    shutil.rmtree(out / _pictures(smoke_model)[0].stem)
    _door(smoke_model, folder, out, *options, "--resume")
    assert (out / "scores.csv").read_bytes() == (expected / "scores.csv").read_bytes()
    assert not filecmp.cmpfiles(expected, out, [file for file in files if file.suffix == ".npy"], shallow=False)[1]


@pytest.mark.one_bundle
def test_names_are_never_code(smoke_model: SmokeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of files and folders that are expressions, references, macros and keys to MONAI's parser."""
    monkeypatch.chdir(tmp_path)
    code = "$__import__('os').mkdir('ran')"
    picture, expected = _pictures(smoke_model)[0], tmp_path / "expected"
    _door(smoke_model, picture, expected)
    for number, name in enumerate((code, "@device", "%seed", "x#y", "$x/@y#z", "a,b", "{'_target_': 'os.getcwd'}")):
        source = Path(f"{name}.png")
        source.parent.mkdir(exist_ok=True)
        shutil.copy(picture, source)
        out = Path(f"{number}{name}")
        _door(smoke_model, source, out)
        scores = [[row["score"], row["p_value"]] for folder in (out, expected) for row in _rows(folder).values()]
        assert scores[0] == scores[1]
    assert not Path("ran").exists()


@pytest.mark.one_bundle
def test_the_door_keeps_what_it_can_and_says_what_is_missing(
    smoke_model: SmokeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "images").mkdir()
    shutil.copy(_pictures(smoke_model)[0], tmp_path / "images" / "good.png")
    (tmp_path / "images" / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(SystemExit, match=r"^error: 1 of 2 cases failed"):
        _door(smoke_model, tmp_path / "images", tmp_path / "one")
    assert re.match(r"2 cases: 1 (ab)?normal, 1 failed \(failures.csv\)\n", capsys.readouterr().out)
    good, nothing = tmp_path / "images" / "good.png", str(tmp_path / "nothing")
    with pytest.raises(SystemExit, match=r"^error: .*no calibration found"):
        _door(smoke_model, good, tmp_path / "two", "--calibration_path", nothing)
    assert capsys.readouterr().out.startswith("1 cases: 1 without a decision\n")
    for source, options, match in (
        (good, ("--ckpt_path", nothing), "no weights there"),
        (tmp_path / "nowhere", (), "it does not exist"),
        (good, ("--image_false_positive_rte", "0.1"), "'image_false_positive_rate' in place of"),
        (good, ("--overlay", "tiny"), "no overlay 'tiny'"),
    ):
        with pytest.raises(SystemExit, match=f"^error: .*{match}"):
            _door(smoke_model, source, tmp_path / "three", *options)
        assert not capsys.readouterr().out


def test_the_door_from_the_command_line(phantom_2d: Path, tmp_path: Path) -> None:
    """One start is enough: it takes most of the time."""
    command = [sys.executable, "-m", "medad.predict", str(phantom_2d), "--out", str(tmp_path)]
    command += ["--bundle", str(BUNDLES[0]), "--overlay", "smoke", "--thresholds", "0.1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith("error: ") and "'threshold' in place of 'thresholds'" in done.stderr


@pytest.mark.one_bundle
def test_the_documentation_runs(smoke_model: SmokeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of docs/how_to/python.md, in order, with its output; the smoke model stands for the trained one."""
    text = (ROOT / "docs" / "how_to" / "python.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    folder = tmp_path / "bundles" / re.findall(r"bundles/(\w+)", "".join(blocks))[0]
    shutil.copytree(smoke_model.bundle / "configs", folder / "configs")
    shutil.copy(folder / "configs" / "smoke.json", folder / "configs" / "cpu.json")
    shutil.copytree(smoke_model.models, folder / "models")
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    head = nibabel.Nifti1Image(rng.random((64, 64, 8), dtype=np.float32), np.diag([-1.0, -1.0, 5.0, 1.0]))
    nibabel.save(head, "patient_17.nii.gz")
    for name in ("a.png", "b.png", "c.png"):
        Image.fromarray(rng.integers(0, 255, (80, 96), dtype=np.uint8)).save(name)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "python.md", "python.md", 0)
    assert len(test.examples) > 10
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append)
    assert not report, "".join(report)
