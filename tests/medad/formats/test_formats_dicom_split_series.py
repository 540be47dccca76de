# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pydicom
import pytest
from medad.formats import MedicalImageReader
from medad.formats.dicom_series import series_files, series_in_folder
from medad.formats.dicom_split_series import join_slices
from pydicom.dataelem import DataElement

SLICE = np.arange(12, dtype=np.uint16).reshape(4, 3)


def write(dicom, positions, folder="s", **tags):
    tags = {"FrameOfReferenceUID": "1.2.7", **tags}
    tags = {name: value for name, value in tags.items() if value is not None or "Image" in name}
    return [
        dicom(f"{folder}/{z}.dcm", SLICE + index, z, series=f"1.2.3.{folder}.{index}".replace("s", "9"), **tags)
        for index, z in enumerate(positions)
    ]


def test_slices_with_a_series_each_are_one_volume(dicom, tmp_path, caplog):
    files = write(dicom, [4.0, 0.0, 2.0])
    image = MedicalImageReader()
    for path in (tmp_path / "s", *files):
        array, meta = image.get_data(image.read(str(path)))
        np.testing.assert_array_equal(array, 2.0 * np.stack([SLICE + 1, SLICE + 2, SLICE]).transpose(2, 1, 0) - 10)
        np.testing.assert_allclose(np.diag(meta["affine"]), [-0.25, -0.5, 2, 1])
    assert "and 2 more slices, each a series of its own, are taken as one volume" in caplog.text


@pytest.mark.parametrize(
    ("positions", "tags"),
    [
        ([0.0, 2.0], {}),  # two may be anything
        ([0.0, 2.0, 4.0], {"FrameOfReferenceUID": None}),
        ([0.0, 2.0, 4.0], {"ImagePositionPatient": None, "ImageOrientationPatient": None}),
    ],
)
def test_images_that_only_lie_together_stay_alone(dicom, tmp_path, positions, tags):
    write(dicom, positions, **tags)
    assert [len(files) for files in series_in_folder(tmp_path / "s").values()] == [1] * len(positions)


def test_slices_with_gaps_stay_alone_and_are_named(dicom, tmp_path, caplog):
    write(dicom, [0.0, 2.0, 4.0, 9.0])
    assert len(series_in_folder(tmp_path / "s")) == 4
    assert "stay alone: uneven slice spacing" in caplog.text


def test_other_series_in_the_folder_stay_what_they_are(dicom, dicom_series, tmp_path):
    write(dicom, [0.0, 2.0, 4.0])
    dicom_series("s", (50.0, 53.0, 56.0, 59.0))
    dicom(
        "s/scout.dcm", SLICE, series="1.2.99", FrameOfReferenceUID="1.2.7", ImageOrientationPatient=[0, 1, 0, 0, 0, 1]
    )
    assert sorted(len(files) for files in series_in_folder(tmp_path / "s").values()) == [1, 3, 4]


def test_a_damaged_neighbor_does_not_matter(dicom, tmp_path):
    """A position that is no number, in a slice that would be a series of its own."""
    whole = dicom("good.dcm", np.arange(20, dtype=np.uint16).reshape(4, 5), series="1.2.7")
    damaged = pydicom.dcmread(dicom("bad.dcm", np.zeros((4, 5), np.uint16), series="1.2.8"))
    damaged.add(DataElement(0x00280030, "SH", ["a", "b"]))  # PixelSpacing
    damaged.save_as(tmp_path / "bad.dcm")
    assert join_slices([str(tmp_path / "bad.dcm"), whole]) == []
    assert series_files(whole) == [whole]
