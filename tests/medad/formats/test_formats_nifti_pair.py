# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import nibabel
import numpy as np
import pytest
from medad.errors import InputError
from medad.formats import MedicalImageReader

AFFINE = np.diag([-2.0, 3.0, 4.0, 1.0])


@pytest.mark.parametrize("names", [("a.hdr", "a.img"), ("b.HDR", "b.IMG")])
def test_both_files_stand_for_the_image(tmp_path: Path, names: tuple[str, str]) -> None:
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    nibabel.save(nibabel.Nifti1Pair(array, AFFINE), tmp_path / "written.img")
    for suffix, name in zip((".hdr", ".img"), names, strict=True):
        (tmp_path / f"written{suffix}").rename(tmp_path / name)
    for name in names:
        image = MedicalImageReader().read(str(tmp_path / name))
        np.testing.assert_array_equal(image.array, array)
        np.testing.assert_allclose(image.affine, AFFINE)


def test_half_a_pair_is_named(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Pair(np.ones((2, 3, 4), dtype=np.int16), AFFINE), tmp_path / "a.img")
    (tmp_path / "a.img").unlink()
    with pytest.raises(InputError, match=r"a\.img: it does not exist"):
        MedicalImageReader().read(str(tmp_path / "a.hdr"))


def test_analyze_does_not_say_how_it_lies(tmp_path: Path) -> None:
    nibabel.save(nibabel.AnalyzeImage(np.ones((2, 3, 4), dtype=np.int16), AFFINE), tmp_path / "a.img")
    with pytest.raises(InputError, match=r"a\.hdr: no NIfTI header found.*Analyze"):
        MedicalImageReader().read(str(tmp_path / "a.img"))
