# SPDX-License-Identifier: Apache-2.0
"""One folder, one run: what lies there is continued, replaced or left alone, and never mixed."""

import csv
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import itk
import nibabel
import numpy as np
import pytest
from bundle_tools import SmokeModel, build, fails_with
from ignite.engine import Engine
from medad.engines import CohortError
from medad.errors import InputError
from medad.handlers.run_lock import RunLock
from PIL import Image

Infer = Callable[..., Path]
pytestmark = pytest.mark.one_bundle
SHOWN = {"report.html", "cases.png"}


def _scores(folder: Path) -> dict[str, str]:
    with (folder / "scores.csv").open(newline="", encoding="utf-8") as file:
        return {row["case"]: row["score"] for row in csv.DictReader(file)}


def _contents(folder: Path) -> dict[str, bytes]:
    """Every file but the report, which differs in its date."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in SHOWN]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _cohort(folder: Path, model: SmokeModel, names: str) -> Path:
    """Pictures of different sizes, and a volume where a name is ``v``."""
    folder.mkdir(exist_ok=True)
    sources = [model.data / item["image"] for item in json.loads((model.data / "datalist.json").read_text())["test"]]
    for number, name in enumerate(names):
        picture = Image.open(sources[number % len(sources)])
        if name == "v":
            volume = np.stack([np.asarray(picture, dtype=np.int16).T] * 3, axis=-1)
            nibabel.save(nibabel.Nifti1Image(volume, np.diag([-1, -1, 3, 1])), folder / f"{name}.nii.gz")
        else:
            picture.resize((48 + 4 * number, 64)).save(folder / f"{name}.png")
    return folder


def _interrupt(out: Path, case: str) -> None:
    """Take a case away, as a kill before it does."""
    for file in (out / case).iterdir():
        file.unlink()
    (out / case).rmdir()
    lines = (out / "scores.csv").read_text().splitlines(keepends=True)
    (out / "scores.csv").write_text("".join(line for line in lines if not line.startswith(f"{case},")))


def test_a_second_run_does_not_mix_with_the_first(infer: Infer, smoke_model: SmokeModel, tmp_path: Path) -> None:
    images, others = (_cohort(tmp_path / name, smoke_model, name) for name in ("abc", "cde"))
    out = infer(tmp_path / "out", dataset_dir=images)
    before = _contents(out)
    evaluation = {**smoke_model.paths, "output_dir": out}
    for second in (
        lambda: infer(out, dataset_dir=others),
        lambda: build(smoke_model.bundle, "train evaluate smoke", **evaluation).run(),
    ):
        with fails_with(InputError, f"{out}: it holds the results of a run with 3 cases"):
            second()
        assert _contents(out) == before
    infer(out, dataset_dir=others, overwrite=True)
    whole = infer(tmp_path / "whole", dataset_dir=others)
    assert _contents(out) == _contents(whole)
    build(smoke_model.bundle, "train evaluate smoke", **evaluation, overwrite=True).run()
    assert not [path for path in out.iterdir() if path.is_dir()] and len(_scores(out)) == 6
    with fails_with(InputError, "the earlier run had run evaluation"):
        infer(out, dataset_dir=others, resume=True)


def test_two_runs_at_once_are_one_too_many(infer: Infer, smoke_model: SmokeModel, tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "out" / ".run.lock", tmp_path / "out")
    lock.take(Engine(print))
    with fails_with(InputError, f"{tmp_path / 'out'}: another run is writing there"):
        infer(tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".run.lock"]
    lock.let_go(None)
    weights = RunLock(tmp_path / "models" / ".model.pt.lock", tmp_path / "models")
    weights.take(Engine(print))
    folders: dict[str, Any] = {"ckpt_dir": tmp_path / "models", "output_dir": tmp_path / "log"}
    with fails_with(InputError, "model.pt: another run is writing there"):
        build(smoke_model.bundle, "train smoke", dataset_dir=smoke_model.data, **folders).run()


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_cohort_that_grows_ends_as_if_it_had_been_whole(
    infer: Infer, smoke_model: SmokeModel, tmp_path: Path, batch_size: int
) -> None:
    """Pictures and, later, a volume: with it, pictures go one by one, too."""
    images = _cohort(tmp_path / "images", smoke_model, "bcdf")
    out = infer(tmp_path / "out", dataset_dir=images, batch_size=batch_size)
    for names in ("bcdfa", "bcdfav"):
        for number, name in enumerate(names[4:], start=4):
            if not list(images.glob(f"{name}.*")):
                (_cohort(tmp_path / name, smoke_model, "xxxxx"[:number] + name) / "x.png").unlink()
                for file in (tmp_path / name).iterdir():
                    file.rename(images / file.name)
        _interrupt(out, "c")
        infer(out, dataset_dir=images, batch_size=batch_size, resume=True)
        whole = infer(tmp_path / f"whole_{names}", dataset_dir=images, batch_size=batch_size)
        assert _contents(out) == _contents(whole)


def test_a_case_never_takes_the_results_of_another(infer: Infer, smoke_model: SmokeModel, tmp_path: Path) -> None:
    images = _cohort(tmp_path / "images", smoke_model, "xy")
    out = infer(tmp_path / "out", dataset_dir=images)
    before = _contents(out)
    Image.open(images / "y.png").rotate(180).convert("RGB").save(images / "x.jpg")  # is called x now, the other one x_2
    with fails_with(InputError, "the case 'x' is finished, but its files are others now"):
        infer(out, dataset_dir=images, resume=True)
    (images / "x.jpg").unlink()
    (images / "x.png").rename(tmp_path / "x.png")
    with fails_with(InputError, "the case 'x' is finished, but gone from the data"):
        infer(out, dataset_dir=images, resume=True)
    assert _contents(out) == before
    (tmp_path / "x.png").rename(images / "x.png")
    infer(out, dataset_dir=images, resume=True)
    assert _contents(out) == before


def test_the_report_of_a_resumed_run_shows_all_cases(infer: Infer, smoke_model: SmokeModel, tmp_path: Path) -> None:
    images = _cohort(tmp_path / "images", smoke_model, "abcv")
    out = infer(tmp_path / "out", dataset_dir=images, batch_size=1)
    whole = (out / "report.html").read_text()
    _interrupt(out, "b")
    infer(out, dataset_dir=images, batch_size=1, resume=True)
    resumed = (out / "report.html").read_text()
    for report in (whole, resumed):
        assert sorted(re.findall(r"<h4>(\w+)</h4>", report)) == list("abcv")
        assert "4 cases" in report and "No picture" not in report
    assert len(re.findall("<img", whole)) == len(re.findall("<img", resumed))
    pictures = [set(re.findall(r'<img src="data:image/jpeg;base64,([^"]+)"', report)) for report in (whole, resumed)]
    assert len(pictures[0] & pictures[1]) == len(pictures[0])
    _interrupt(out, "b")
    (out / "c" / "c_anomaly_map.npy").unlink()
    infer(out, dataset_dir=images, batch_size=1, resume=True)
    assert (out / "report.html").read_text().count("No picture") == 1


def test_a_folder_of_many_formats(
    infer: Infer, smoke_model: SmokeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every image is judged, on its own grid, or named."""
    volume = nibabel.load(_cohort(tmp_path / "nifti", smoke_model, "v") / "v.nii.gz")
    folder = tmp_path / "images"
    folder.mkdir()
    array = np.asarray(volume.dataobj)
    nibabel.save(nibabel.Nifti1Pair(array, volume.affine), folder / "pair.img")
    nibabel.save(volume, folder / "good.nii.gz")
    image = itk.image_from_array(np.ascontiguousarray(array.T))
    image.SetSpacing([1.0, 1.0, 3.0])
    for name in ("a.mha", "b.mhd", "c.nrrd", "d.nhdr"):
        itk.imwrite(image, str(folder / name))
        if name == "b.mhd":
            (folder / "b.raw").rename(folder / "b_values.raw")
            (folder / name).write_bytes((folder / name).read_bytes().replace(b"b.raw", b"b_values.raw"))
    flat = itk.image_from_array(np.ascontiguousarray(array[..., 0].T))
    itk.imwrite(flat, str(folder / "flat.mha"))
    np.save(folder / "e.npy", array)
    out = infer(tmp_path / "out", dataset_dir=folder)
    scores = _scores(out)
    assert set(scores) == {"pair", "good", "a", "b", "c", "d", "flat"}
    assert len({f"{float(score):.5g}" for case, score in scores.items() if case != "flat"}) == 1
    for case in scores:
        written = nibabel.load(out / case / f"{case}_anomaly_map.nii.gz")
        assert written.shape == (array.shape if case != "flat" else array.shape[:2])
        if case != "flat":
            np.testing.assert_allclose(written.affine, volume.affine)
    assert "1 files are not read: 1 .npy (e.npy)" in capsys.readouterr().out


def test_no_name_of_a_file_ends_a_run(infer: Infer, smoke_model: SmokeModel, tmp_path: Path) -> None:
    folder = _cohort(tmp_path / "images", smoke_model, "a")
    content = (folder / "a.png").read_bytes()
    long = "x" * 233
    names = [b"scores.csv.png", b"report.html.png", b"con.png", "\u5f20\u4e09.png".encode(), f"{long}.png".encode()]
    for name in [*names, b"M\xfcller.png", b"bad\xff.png"]:
        path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
        path.write_bytes(b"no picture" if b"bad" in name else content)
    with fails_with(CohortError, "1 of 8 cases failed"):
        infer(tmp_path / "out", dataset_dir=folder)
    scores = _scores(tmp_path / "out")
    cut = next(name for name in scores if name.startswith("xxx"))
    assert set(scores) == {"a", "case_scores.csv", "case_report.html", "case_con", "\u5f20\u4e09", "M\u00fcller", cut}
    for case in scores:
        assert (tmp_path / "out" / case / f"{case}_mask.png").is_file()
    with (tmp_path / "out" / "scores.csv").open(encoding="utf-8", newline="") as file:
        sources = {row["case"]: row["source"] for row in csv.DictReader(file)}
    assert sources["M\u00fcller"] == "M\\udcfcller.png" and sources[cut] == f"{long}.png"
    assert "bad\\udcff.png" in (tmp_path / "out" / "failures.csv").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "report.html").is_file()
