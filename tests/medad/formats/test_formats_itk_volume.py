# SPDX-License-Identifier: Apache-2.0
"""MetaImage and NRRD: values and geometry as ITK's users know them."""

from pathlib import Path
from typing import Any

import itk
import numpy as np
import pytest
from medad.errors import InputError
from medad.formats import ORIENTED, MedicalImageReader

TURN = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
NAMES = ["a.mha", "a.mhd", "a.nrrd", "a.nhdr"]


def write(path: Path, array: np.ndarray, compression: bool = False, channels: bool = False) -> str:
    """Write an array ``(z, y, x[, channel])`` with a turned grid."""
    image = itk.image_from_array(array, is_vector=channels)
    dims = image.GetImageDimension()
    image.SetDirection(itk.matrix_from_array(np.ascontiguousarray(TURN[:dims, :dims])))
    image.SetSpacing([0.5, 2.0, 3.0][:dims])
    image.SetOrigin([10.0, 20.0, -30.0][:dims])
    itk.imwrite(image, str(path), compression=compression)
    return str(path)


def load(path: str) -> tuple[np.ndarray, dict[str, Any]]:
    reader = MedicalImageReader()
    return reader.get_data(reader.read(path))


@pytest.mark.parametrize("compression", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_volume_keeps_values_and_place(tmp_path: Path, name: str, compression: bool) -> None:
    pixels = np.arange(-30, 30, dtype=np.int16).reshape(3, 4, 5)
    array, meta = load(write(tmp_path / name, pixels, compression))
    np.testing.assert_array_equal(array, pixels.T)
    # x runs backwards in the patient, y to the right, by ITK's left and posterior axes turned over
    expected = [[0, 2, 0, -10], [-0.5, 0, 0, -20], [0, 0, 3, -30], [0, 0, 0, 1]]
    np.testing.assert_allclose(meta["affine"], expected)


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd"])
def test_flat_images_and_channels(tmp_path: Path, name: str) -> None:
    flat = np.arange(20, dtype=np.uint8).reshape(4, 5)
    array, meta = load(write(tmp_path / name, flat))
    np.testing.assert_array_equal(array, flat.T)
    np.testing.assert_allclose(meta["affine"], [[0, 2, 0, -10], [-0.5, 0, 0, -20], [0, 0, 1, 0], [0, 0, 0, 1]])
    several = np.random.default_rng(0).random((3, 4, 5, 2), dtype=np.float32)
    array, meta = load(write(tmp_path / name, several, channels=True))
    np.testing.assert_array_equal(array, several.transpose(2, 1, 0, 3))
    assert meta["original_channel_dim"] == -1


def test_a_slice_stays_a_volume(tmp_path: Path) -> None:
    for name in ("a.mha", "a.nrrd"):
        path = Path(write(tmp_path / name, np.ones((1, 4, 5), dtype=np.float64)))
        array, _ = load(str(path.rename(tmp_path / name.upper())))
        assert array.shape == (5, 4, 1)


def test_four_axes_in_space_are_refused(tmp_path: Path) -> None:
    itk.imwrite(itk.image_from_array(np.zeros((2, 3, 4, 5), dtype=np.float32)), str(tmp_path / "a.mha"))
    with pytest.raises(InputError, match="4 axes in space found"):
        load(str(tmp_path / "a.mha"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("compression", [False, True])
def test_what_is_missing_is_noticed(tmp_path: Path, name: str, compression: bool) -> None:
    write(tmp_path / name, np.random.default_rng(0).integers(0, 99, (5, 6, 7), dtype=np.int16), compression)
    (values,) = [path for path in tmp_path.iterdir() if path.name != name] or [tmp_path / name]
    values.write_bytes(values.read_bytes()[:-50])
    with pytest.raises(InputError):
        load(str(tmp_path / name))
    if values.name != name:
        values.unlink()
        with pytest.raises(InputError, match="which is not there"):
            load(str(tmp_path / name))


def test_an_affine_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    content = Path(write(tmp_path / "a.mha", np.zeros((3, 4, 5), dtype=np.int16))).read_bytes()
    (tmp_path / "a.mha").write_bytes(content.replace(b"ElementSpacing = 0.5 2 3", b"ElementSpacing = 0.5 2 1e9"))
    with pytest.raises(InputError, match="voxel sizes"):
        load(str(tmp_path / "a.mha"))


@pytest.mark.parametrize("name", NAMES)
def test_orientation_is_known_where_the_header_tells_it(tmp_path: Path, name: str) -> None:
    path = Path(write(tmp_path / name, np.zeros((2, 3, 4), np.float32)))
    assert load(str(path))[1][ORIENTED]
    header, *values = path.read_bytes().split(b"\n\n" if "n" in name else b"LOCAL", 1)
    kept = [line for line in header.splitlines() if not line.startswith((b"space", b"TransformMatrix"))]
    path.write_bytes((b"\n\n" if "n" in name else b"LOCAL").join([b"\n".join(kept) + b"\n" * (not values), *values]))
    assert not load(str(path))[1][ORIENTED]
    assert not load(write(tmp_path / name, np.zeros((3, 4), np.float32)))[1][
        ORIENTED
    ]  # a page, not a plane of the body
