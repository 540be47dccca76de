# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from medad.errors import InputError
from medad.formats import MedicalImageReader
from monai.data import ITKReader

SLICE = np.arange(12, dtype=np.uint16).reshape(4, 3)
FRAMES = np.stack([SLICE, SLICE + 100, SLICE + 200])


def load(path):
    reader = MedicalImageReader()
    return reader.get_data(reader.read(str(path)))


def test_geometry_in_closed_form_and_as_monai(dicom_series, tmp_path):
    dicom_series("s")
    array, meta = load(tmp_path / "s")
    expected = [[-0.25, 0, 0, -1], [0, -0.5, 0, -2], [0, 0, 3, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(meta["affine"], expected)
    reader = ITKReader()
    monai_array, monai_meta = reader.get_data(reader.read(str(tmp_path / "s")))
    np.testing.assert_array_equal(array, monai_array)
    np.testing.assert_allclose(meta["affine"], monai_meta["affine"])


ROW, COLUMN = np.asarray([0.8, 0.6, 0.0]), np.asarray([-0.36, 0.48, 0.8])
NORMAL = np.cross(ROW, COLUMN)


def series(dicom, step, count=3):
    """Slices that are tilted in every direction, one ``step`` (mm) behind the other, the last one first."""
    for index in range(count):
        position = [float(value) for value in np.asarray([5.0, 6.0, 7.0]) + index * step]
        orientation = [*map(float, ROW), *map(float, COLUMN)]
        name = f"s/{count - index}.dcm"
        dicom(name, SLICE + 100 * index, ImagePositionPatient=position, ImageOrientationPatient=orientation)


@pytest.mark.parametrize("spacing", [2.0, -2.0])
def test_affine_of_an_oblique_series_in_closed_form(dicom, tmp_path, spacing):
    series(dicom, spacing * NORMAL)
    array, meta = load(tmp_path / "s")
    slices = [2.0 * (SLICE.T + 100 * index) - 10 for index in range(3)]
    first = np.asarray([5.0, 6.0, 7.0])
    if spacing < 0:  # slices are counted along the normal
        slices, first = slices[::-1], first + 2 * spacing * NORMAL
    np.testing.assert_array_equal(array, np.stack(slices, axis=-1))
    lps = np.eye(4)
    lps[:3] = np.stack([0.25 * ROW, 0.5 * COLUMN, 2.0 * NORMAL, first], axis=1)
    np.testing.assert_allclose(meta["affine"], np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps, atol=1e-6)


@pytest.mark.parametrize("direction", [ROW, -COLUMN])
def test_slices_that_are_not_straight_behind_each_other_are_refused(dicom, tmp_path, direction):
    series(dicom, 2.0 * NORMAL + 0.2 * direction)  # tilted by 6 degrees
    with pytest.raises(InputError, match=r"tilted series.* up to 0\.4 mm .*pixel of 0\.25 mm.*dcm2niix"):
        load(tmp_path / "s")


def test_one_shifted_slice_is_refused(dicom, tmp_path):
    series(dicom, 2.0 * NORMAL)
    position = [float(value) for value in np.asarray([5.0, 6.0, 7.0]) + 6.0 * NORMAL + 0.3 * ROW]
    orientation = [*map(float, ROW), *map(float, COLUMN)]
    dicom("s/4.dcm", SLICE, ImagePositionPatient=position, ImageOrientationPatient=orientation)
    with pytest.raises(InputError, match=r"tilted series.* up to 0\.3 mm"):
        load(tmp_path / "s")


def test_rounded_positions_are_no_tilt(dicom, tmp_path):
    series(dicom, 2.0 * NORMAL + 0.05 * ROW)  # 0.1 mm in three slices
    assert load(tmp_path / "s")[0].shape == (3, 4, 3)


@pytest.mark.parametrize(("last", "even"), [(9.2, True), (9.5, False)])
def test_steps_may_differ_by_a_tenth(dicom_series, tmp_path, last, even):
    dicom_series("s", (0.0, 3.0, 6.0, last))
    if even:
        array, meta = load(tmp_path / "s")
        assert array.shape == (3, 4, 4) and meta["affine"][2, 2] == pytest.approx(last / 3)
        return
    with pytest.raises(InputError, match=r"uneven slice spacing between 3 and 3\.5 mm"):
        load(tmp_path / "s")


def test_enhanced_multi_frame_is_sorted(enhanced):
    array, meta = load(enhanced("multi.dcm", FRAMES, [0, 10, 5]))
    np.testing.assert_array_equal(array, np.stack([SLICE.T, SLICE.T + 200, SLICE.T + 100], axis=-1))
    np.testing.assert_allclose(meta["affine"], np.diag([-3, -2, 5, 1]))


def test_frames_at_one_position_are_no_volume(enhanced):
    with pytest.raises(InputError, match="mixed series"):
        load(enhanced("multi.dcm", FRAMES, [0, 5, 5]))


@pytest.mark.parametrize(("step", "digits", "rounded"), [(0.625, 1, 0.1), (1.25, 1, 0.1), (0.3, 1, 0.1), (2.5, 0, 1)])
def test_rounded_positions_are_no_missing_slices(dicom_series, tmp_path, step, digits, rounded):
    positions = [round(step * index, digits) for index in range(16)]
    dicom_series("s", positions)
    if rounded == 1:  # as far apart as where a slice is missing
        with pytest.raises(InputError, match="slices are missing"):
            load(tmp_path / "s")
        return
    np.testing.assert_allclose(load(tmp_path / "s")[1]["affine"][2, 2], positions[-1] / 15)


@pytest.mark.parametrize("step", [0.2, 0.625, 3.0])
def test_a_missing_slice_is_noticed_among_rounded_ones(dicom_series, tmp_path, step):
    dicom_series("s", [round(step * index, 1) for index in range(12) if index != 7])
    with pytest.raises(InputError, match="slices are missing"):
        load(tmp_path / "s")
