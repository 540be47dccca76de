# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from medad.loading import (
    last_batch_is_single,
    loader_batch_size,
)
from PIL import Image


def item(case, path, **entries):
    return {"image": str(path), "case": case, "subject_id": case, **entries}


def test_batch_size_for_volumes(png, nifti, dicom_series, dicom, tmp_path):
    flat = [item("a", png("a.png")), item("b", png("b.tif"))]
    assert loader_batch_size(flat, 8, 2) == 8
    dicom_series("s")
    dicom("single.dcm", np.ones((4, 3), np.uint16))
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(
        tmp_path / "v.tif", save_all=True, append_images=[Image.new("L", (4, 4))]
    )
    np.savez(
        tmp_path / "m.npz", images=np.zeros((2, 4, 4)), volumes=np.zeros((2, 4, 4, 4)), colors=np.zeros((2, 4, 4, 3))
    )
    volumes = [
        nifti("c.nii.gz", np.zeros((2, 2, 2))),
        tmp_path / "s",
        tmp_path / "s" / "001.dcm",
        tmp_path / "v.tif",
        f"{tmp_path}/m.npz#volumes[0]",
    ]
    for path in volumes:
        assert loader_batch_size([*flat, item("v", path)], 8, 2) == 1
        assert loader_batch_size([*flat, item("v", path)], 8, 3) == 8
    for path in (tmp_path / "single.dcm", f"{tmp_path}/m.npz#images[0]", f"{tmp_path}/m.npz#colors[0]"):
        assert loader_batch_size([item("x", path)], 8, 2) == 8
    (tmp_path / "gone.dcm").write_bytes(b"?")
    assert loader_batch_size([item("x", tmp_path / "gone.dcm")], 8, 2) == 8


@pytest.mark.parametrize(
    ("images", "batch_size", "single"), [(9, 4, True), (8, 4, False), (10, 4, False), (1, 4, False), (5, 1, False)]
)
def test_a_last_batch_of_one_is_foreseen(images: int, batch_size: int, single: bool) -> None:
    assert last_batch_is_single(range(images), batch_size) is single
