# SPDX-License-Identifier: Apache-2.0
"""DICOM in, DICOM out: inference of every bundle writes a SEG and a Parametric Map, and identifiers nowhere else."""

import base64
import csv
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from bundle_tools import fails_with
from dicom_files import OBLIQUE, PLANTED, assert_same_by_position, write_series, write_single
from medad.engines import CohortError
from medad.errors import InputError
from PIL import Image

Infer = Callable[..., Path]
THRESHOLD = 1e-4  # low enough to mark something


def _volume(data: Path, depth: int = 4) -> np.ndarray:
    """Stack test images of the phantom to ``(slices, rows, columns)``."""
    items = json.loads((data / "datalist.json").read_text())["test"][:depth]
    pictures = [np.asarray(Image.open(data / item["image"]), dtype=np.float64) for item in items]
    return np.stack([1000 * picture / picture.max() for picture in pictures])


def _assert_round_trip(folder: Path) -> None:
    """The DICOM results hold what the NIfTI results hold, at the same positions."""
    stem = folder / folder.name
    mask = highdicom.seg.segread(f"{stem}_mask.dcm").get_volume(combine_segments=True)
    assert mask.array.any()
    assert_same_by_position(Path(f"{stem}_mask.nii.gz"), mask)
    assert_same_by_position(
        Path(f"{stem}_anomaly_map.nii.gz"), highdicom.imread(f"{stem}_anomaly_map.dcm").get_volume()
    )


def _contents(path: Path) -> bytes:
    """A file, unpacked, with the pictures that a page carries."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    pictures = re.findall(rb"base64,([A-Za-z0-9+/=]+)", content)
    return content + b"".join(map(base64.b64decode, pictures))


@pytest.mark.each_kind
def test_results_return_to_the_archive_and_nowhere_else(
    infer: Infer, phantom_2d: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    write_series(data / "head", _volume(phantom_2d), "MR", OBLIQUE, reverse=True)
    write_single(data / "film.dcm", _volume(phantom_2d)[0], "CR")
    write_series(data / "broken", _volume(phantom_2d) * 0, "CT")  # a constant image costs its case only
    write_series(data / "mixed", _volume(phantom_2d), "MR")
    write_series(data / "second", _volume(phantom_2d), "MR")
    for path in (data / "second").iterdir():
        path.rename(data / "mixed" / f"second_{path.name}")
    listed = {"test": [{"image": name} for name in ("head", "film.dcm", "broken", "mixed")]}
    (data / "datalist.json").write_text(json.dumps(listed))
    with fails_with(CohortError, "2 of 4 cases failed"), caplog.at_level("DEBUG"):
        infer(tmp_path / "out", dataset_dir=data, threshold=THRESHOLD)
    out = tmp_path / "out"
    _assert_round_trip(out / "head")
    assert sorted(path.name for path in out.rglob("*.dcm")) == [
        "film_anomaly_map.dcm",
        "film_mask.dcm",
        "head_anomaly_map.dcm",
        "head_mask.dcm",
    ]
    np.testing.assert_array_equal(
        highdicom.seg.segread(out / "film" / "film_mask.dcm").get_frame(1).squeeze(),
        np.load(out / "film" / "film_mask.npy"),
    )
    sources = [pydicom.dcmread(path) for path in data.rglob("*.dcm")]
    names = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
    uids = {str(source[name].value) for source in sources for name in names if name in source}
    identifiers = {*PLANTED.values(), *PLANTED["PatientName"].split("^"), *uids}
    assert "2 DICOM series in one folder" in (out / "failures.csv").read_text()
    assert len(uids) > len(sources) and identifiers & {str(pydicom.dcmread(out / "film" / "film_mask.dcm").PatientID)}
    others = [path for path in out.rglob("*") if path.is_file() and path.suffix != ".dcm"]
    assert {"scores.csv", "failures.csv", "report.html", "run.json"} <= {path.name for path in others}
    said = "".join(capfd.readouterr()) + caplog.text
    assert "mask and map are written as DICOM, too" in said
    texts = {str(path): _contents(path) for path in others} | {"log": said.encode()}
    found = [(name, word) for name, text in texts.items() for word in identifiers if word.encode() in text]
    assert not found
    assert not [path for path in out.rglob("*") if any(word in path.name for word in identifiers)]


@pytest.mark.one_bundle
def test_resume_writes_what_is_missing(infer: Infer, phantom_2d: Path, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    for name in ("first", "second"):
        write_series(data / name, _volume(phantom_2d))
    infer(out, dataset_dir=data, threshold=THRESHOLD, batch_size=1)
    written = {path: path.read_bytes() for path in out.rglob("*.dcm")}
    assert len(written) == 4
    for path in (out / "second").iterdir():
        path.unlink()
    infer(out, dataset_dir=data, threshold=THRESHOLD, batch_size=1, resume=True)
    assert {path for path in out.rglob("*.dcm")} == set(written)
    assert all(path.read_bytes() == content for path, content in written.items() if path.parent.name == "first")
    _assert_round_trip(out / "second")
    with fails_with(InputError, "dicom_output True"):
        infer(out, dataset_dir=data, threshold=THRESHOLD, batch_size=1, resume=True, dicom_output=False)


@pytest.mark.one_bundle
def test_a_case_that_cannot_be_referred_to_fails_alone_and_is_tried_again(
    infer: Infer, phantom_2d: Path, tmp_path: Path
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    write_series(data / "good", _volume(phantom_2d))
    write_series(data / "lost", _volume(phantom_2d), FrameOfReferenceUID=None)
    options = {"dataset_dir": data, "threshold": THRESHOLD, "dicom_output": True, "batch_size": 1}
    for resume in (False, True):
        with fails_with(CohortError, "lost: no DICOM result can be made: no FrameOfReferenceUID in its headers"):
            infer(out, **options, resume=resume)
    assert (out / "lost" / "lost_mask.nii.gz").is_file() and not list((out / "lost").glob("*.dcm"))
    _assert_round_trip(out / "good")
    with (out / "scores.csv").open() as file:
        assert [row["case"] for row in csv.DictReader(file)] == ["good", "lost"]
    infer(tmp_path / "auto", **{**options, "dicom_output": "auto"})
    assert len(list((tmp_path / "auto").rglob("*.dcm"))) == 2


@pytest.mark.slow
@pytest.mark.one_bundle
@pytest.mark.real_data
@pytest.mark.parametrize("series", ["mr_vs_seg_001", "head_torchio_17"])
def test_a_real_series_comes_back(infer: Infer, real_data: Path, tmp_path: Path, series: str) -> None:
    source = real_data / "dicom" / series
    out = infer(tmp_path / "out", dataset_dir=source, dicom_output=True, threshold=THRESHOLD) / series
    _assert_round_trip(out)
    first = pydicom.dcmread(next(source.glob("*.dcm")), stop_before_pixels=True)
    files = {pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in source.glob("*.dcm")}
    for path in out.glob("*.dcm"):
        ds = pydicom.dcmread(path)
        assert (ds.StudyInstanceUID, ds.FrameOfReferenceUID) == (first.StudyInstanceUID, first.FrameOfReferenceUID)
        assert ds.PatientID == first.PatientID
        referred = ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence
        assert {item.ReferencedSOPInstanceUID for item in referred} == files
    assert nibabel.load(out / f"{series}_mask.nii.gz").shape[2] == len(files)
