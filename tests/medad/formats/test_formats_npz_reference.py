# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest
from medad.errors import InputError
from medad.formats import MedicalImageReader
from medad.formats.npz_reference import npz_digest


def load(path):
    reader = MedicalImageReader()
    return reader.get_data(reader.read(path))


def array(*shape, dtype=np.uint16):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def test_archive_reference(tmp_path):
    images, colors, volumes = (array(*shape, dtype=np.uint8) for shape in [(3, 7, 5), (3, 7, 5, 3), (2, 6, 7, 5)])
    path = tmp_path / "m.npz"
    np.savez(path, train_images=images, test_images=colors, val_images=volumes)
    np.testing.assert_array_equal(load(f"{path}#train_images[2]")[0], images[2].T)
    np.testing.assert_array_equal(load(f"{path}#test_images[1]")[0], colors[1].transpose(1, 0, 2))
    np.testing.assert_array_equal(load(f"{path}#val_images[0]")[0], volumes[0].T)
    for reference, found in [("train_images[3]", "no image 3"), ("other[0]", "no array 'other'")]:
        with pytest.raises(InputError, match=found):
            load(f"{path}#{reference}")
    with pytest.raises(InputError, match="does not exist"):
        load(f"{tmp_path}/absent.npz#train_images[0]")


def absent(path: Path) -> Path:
    return path / "absent.png"


def test_the_digest_of_an_image_is_that_of_its_values(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (3, 4, 5), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images)
    np.savez_compressed(tmp_path / "b.npz", others=images[::-1].copy(), columns=np.asfortranarray(images))
    first = [npz_digest(f"{tmp_path}/a.npz#images[{index}]") for index in range(3)]
    assert None not in first and len(set(first)) == 3
    assert [npz_digest(f"{tmp_path}/b.npz#others[{index}]") for index in range(3)] == first[::-1]
    for reference in ("a.npz#images[3]", "a.npz#other[0]", "gone.npz#images[0]", "b.npz#columns[0]"):
        assert npz_digest(f"{tmp_path}/{reference}") is None
