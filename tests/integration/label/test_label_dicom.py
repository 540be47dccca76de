# SPDX-License-Identifier: Apache-2.0
"""MONAI Label on a DICOM server: images come from it, and masks go back as DICOM SEG."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from dicom_files import OBLIQUE, assert_same_by_position, write_series
from label_tools import DICOM_WEB, LABEL, Served, Server, monai_label, orthanc
from PIL import Image

RATE = {"voxel_false_positive_rate": 0.2}
SETTINGS = {"MONAI_LABEL_DICOMWEB_SEARCH_FILTER": '{"Modality": "MR"}'}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An empty DICOM server."""
    if shutil.which("Orthanc") is None or not DICOM_WEB.is_file():
        pytest.skip("Orthanc is not installed: apt-get install orthanc orthanc-dicomweb")
    with orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture(scope="module", params=["phantom", pytest.param("mr_vs_seg_001", marks=pytest.mark.slow)])
def series(
    request: pytest.FixtureRequest,
    archive: Server,
    phantoms: dict[int, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> pydicom.Dataset:
    """A series on the server; a header of it."""
    if request.param == "phantom":
        folder = tmp_path_factory.mktemp("series") / "head"
        slices = np.stack(
            [np.asarray(Image.open(path), float) for path in sorted((phantoms[2] / "images").glob("test*"))]
        )
        write_series(folder, 1000 * slices / slices.max(), "MR", OBLIQUE, reverse=True)
    else:
        folder = request.getfixturevalue("real_data") / "dicom" / request.param
    for path in folder.glob("*.dcm"):
        assert archive.ask("POST", "/instances", path.read_bytes(), "application/dicom").status == 200
    return pydicom.dcmread(path, stop_before_pixels=True)


@pytest.fixture(scope="module")
def releases(models: dict[str, Served]) -> dict[str, Path]:
    """A release with a 2D network, and one of another bundle with a 3D one."""
    flat = next(name for name, model in models.items() if model.dimension == 2)
    deep = [name for name, model in models.items() if model.dimension == 3 and not name.startswith("output_")]
    return {name: models[name].folder for name in (flat, deep[-1])}


@pytest.fixture(scope="module")
def label(
    archive: Server, series: pydicom.Dataset, releases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """MONAI Label on the DICOM server."""
    with monai_label(tmp_path_factory.mktemp("server"), releases, f"{archive.url}/dicom-web", **SETTINGS) as server:
        yield server


def _run(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _segmentations(archive: Server, series: pydicom.Dataset) -> dict[str, bytes]:
    """All SEG of a study, by their identifiers."""
    found = archive.ask("GET", f"/dicom-web/series?Modality=SEG&StudyInstanceUID={series.StudyInstanceUID}").json
    content = {}
    for item in found:
        query = f'{{"Level": "Instance", "Query": {{"SeriesInstanceUID": "{item["0020000E"]["Value"][0]}"}}}}'
        (instance,) = archive.ask("POST", "/tools/find", query.encode()).json
        content[instance] = archive.ask("GET", f"/instances/{instance}/file").body
    return content


def _new_segmentation(archive: Server, series: pydicom.Dataset, before: dict[str, bytes]) -> Any:
    (content,) = (content for name, content in _segmentations(archive, series).items() if name not in before)
    written = highdicom.seg.segread(BytesIO(content))
    assert (written.StudyInstanceUID, written.PatientID) == (series.StudyInstanceUID, series.PatientID)
    assert written.FrameOfReferenceUID == series.FrameOfReferenceUID
    (referred,) = written.ReferencedSeriesSequence
    assert referred.SeriesInstanceUID == series.SeriesInstanceUID
    return written


def test_masks_return_as_segmentations_for_research(
    label: Server, archive: Server, series: pydicom.Dataset, releases: dict[str, Path], tmp_path: Path
) -> None:
    """The way of the how-to: MONAI Label infers, medad writes the DICOM SEG, and the DICOM server gets it."""
    assert label.ask("GET", "/datastore/").json["total"] >= 1
    client = [LABEL / "dicomweb_client", "--url", f"{archive.url}/dicom-web"]
    where = ["--study", series.StudyInstanceUID, "--series", series.SeriesInstanceUID]
    (tmp_path / "series").mkdir()
    _run(*client, "retrieve", "series", *where, "full", "--save", "--output-dir", tmp_path / "series")
    for name, release in releases.items():
        before = _segmentations(archive, series)
        answer = label.infer(name, series.SeriesInstanceUID, **RATE)
        assert answer.status == 200, f"{name}: {answer.body[:500]!r}"
        mask = tmp_path / f"{name}.nii.gz"
        mask.write_bytes(answer.body)
        made_of = ["--series", tmp_path / "series", "--bundle", release, "--out", tmp_path / name]
        file = _run(sys.executable, "-m", "medad.dicom_seg", mask, *made_of)
        _run(*client, "store", "instances", file)
        written = _new_segmentation(archive, series, before)
        assert written.ContentDescription == "Anomaly mask, research use only"
        assert written.SeriesDescription == "Anomaly mask, research use only"
        segment = written.get_segment_description(1)
        assert segment.segment_label == "Anomaly" and segment.segmented_property_type.value == "52988006"
        assert segment.algorithm_identification.version == written.SoftwareVersions[1].removeprefix("bundle ")
        volume = written.get_volume(combine_segments=True)
        assert volume.array.any()
        assert_same_by_position(mask, volume)


def test_what_monai_label_writes_itself(
    label: Server, archive: Server, series: pydicom.Dataset, releases: dict[str, Path], tmp_path: Path
) -> None:
    """The button of a client: the place is right; the segment is as the client says, the content description is not."""
    before = _segmentations(archive, series)
    mask = tmp_path / "mask.nii.gz"
    mask.write_bytes(label.infer(next(iter(releases)), series.SeriesInstanceUID, **RATE).body)
    segment = {"name": "Anomaly", "description": "Anomaly, research use only", "model_name": "research use only"}
    assert label.save_label(series.SeriesInstanceUID, mask, label_info=[segment]).status == 200
    written = _new_segmentation(archive, series, before)
    assert_same_by_position(mask, written.get_volume(combine_segments=True))
    assert written.ContentDescription == "DCMQI"
    assert written.SeriesDescription == "research use only"
    (stored,) = written.SegmentSequence
    assert (stored.SegmentLabel, stored.SegmentDescription) == ("Anomaly", "Anomaly, research use only")
    assert stored.SegmentAlgorithmName == "MONAILABEL"
    image = nibabel.load(mask)
    empty = tmp_path / "empty.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros(image.shape, dtype=np.uint8), image.affine), empty)
    assert label.save_label(series.SeriesInstanceUID, empty).status == 500  # no SEG without a segment
