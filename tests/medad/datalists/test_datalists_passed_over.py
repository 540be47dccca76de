# SPDX-License-Identifier: Apache-2.0
"""What lies in a data set and is not read is named, and folders and masks say what they count as."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import itk
import nibabel as nib
import numpy as np
import pytest
from medad.datalists import load_datalist
from medad.errors import InputError
from PIL import Image


@pytest.fixture
def touch(tmp_path: Path) -> Callable[..., Path]:
    """Create empty files: layouts look at names only."""

    def write(*names: str) -> Path:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return write


def cases(root: Path, recursive: bool = False) -> list[str]:
    return [item["case"] for item in load_datalist(root, "inference", recursive=recursive)]


def test_formats_that_are_not_read_are_counted_and_named(
    touch: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    root = touch("a.nii.gz", "b.nii.bz2", "c.npy", "d.npy", "E.NII.ZIP", "notes.txt", "table.csv", ".hidden.npy")
    assert cases(root) == ["a"]
    assert "4 files are not read: 1 .nii.bz2 (b.nii.bz2), 1 .nii.zip (E.NII.ZIP), 2 .npy (c.npy, d.npy)" in caplog.text
    assert "notes" not in caplog.text and "hidden" not in caplog.text


def test_nothing_but_unread_files_is_an_error_that_names_them(touch: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"no known layout recognized; 2 files such as a\.npy are not read"):
        cases(touch("a.npy", "b.npy"))


def test_all_formats_of_volumes_are_cases(touch: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    root = touch("a.mha", "b.mhd", "c.nrrd", "d.nhdr", "e.img", "e.hdr", "f.hdr", "g.webp", "h.JP2")
    assert cases(root) == list("abcdefgh")
    items = load_datalist(root, "inference")
    assert Path(items[4]["image"]).name == "e.img"  # a pair is one image
    assert "not read" not in caplog.text


def test_values_belong_to_their_header(touch: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    root = touch("other_name.raw", "lone.raw")
    image = itk.image_from_array(np.zeros((2, 3, 4), dtype=np.int16))
    itk.imwrite(image, str(root / "a.mhd"))
    header = (root / "a.mhd").read_text().replace("a.raw", "other_name.raw")
    (root / "a.raw").rename(root / "other_name.raw")
    (root / "a.mhd").write_text(header)
    assert cases(root) == ["a"]
    assert "1 files are not read: 1 .raw (lone.raw)" in caplog.text


@pytest.mark.parametrize("recursive", [False, True])
def test_one_dicom_file_does_not_hide_the_others(
    touch: Callable[..., Path],
    dicom: Callable[..., str],
    caplog: pytest.LogCaptureFixture,
    recursive: bool,
) -> None:
    root = touch("x/a.png", "x/deep/b.nii.gz")
    dicom("y/c.dcm", np.ones((4, 3), np.uint16))
    found = cases(root, recursive)
    assert sorted(found) == (["a", "b", "c"] if recursive else ["c"])
    assert ("1 images are not part of the data: x/a.png" in caplog.text) != recursive
    assert ("1 folders with images are not searched: x/deep" in caplog.text) != recursive


def test_folders_that_are_not_searched_are_named(touch: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    root = touch("a.png", "sub/b.png", "sub/c.png", "empty/notes.txt")
    assert cases(root) == ["a"]
    assert "1 folders with images are not searched: sub; recursive" in caplog.text


def labels(root: Path, split: str = "test") -> dict[str, int]:
    return {Path(item["image"]).parent.name: item["label"] for item in load_datalist(root, split)}


@pytest.mark.parametrize(
    "name",
    [
        *("Normal", "NORMALS", "healthy", "Healthy_Controls", "good", "control", "Negative", "No Finding", "no_tumor"),
        *("ok", "norm", "HC", "normal_images", "Healthy Subjects", "without_lesion", "NoTumour"),
    ],
)
def test_the_usual_words_mean_normal(touch: Callable[..., Path], caplog: pytest.LogCaptureFixture, name: str) -> None:
    caplog.set_level("INFO")
    root = touch(f"Test/{name}/a.png", "Test/tumor/b.png", f"train/{name}/c.png")
    assert labels(root) == {name: 0, "tumor": 1}
    assert [item["label"] for item in load_datalist(root, "training")] == [0]
    assert f"Test: normal: {name}; abnormal: tumor" in caplog.text


@pytest.mark.parametrize("name", ["abnormal", "not_normal", "Normal_brain", "unhealthy", "positive", "1"])
def test_other_words_mean_abnormal_and_doubt_is_told(
    touch: Callable[..., Path], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    root = touch("test/normal/a.png", f"test/{name}/b.png")
    assert labels(root) == {"normal": 0, name: 1}
    assert (f"{name} counts as abnormal" in caplog.text) == (name in ("not_normal", "Normal_brain"))


def test_mvtec_does_not_mind_the_case_either(touch: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    root = touch("train/Good/a.png", "test/Good/b.png", "test/Crack/c.png", "ground_truth/Crack/c_mask.png")
    caplog.set_level("INFO")
    assert labels(root) == {"Good": 0, "Crack": 1}
    assert "layout mvtec" in caplog.text and "normal: Good; abnormal: Crack" in caplog.text


def test_masks_without_an_image_are_named(touch: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    masks = [f"test/masks/{name}" for name in ("b_seg.png", "x.png", "y.mha")]
    root = touch("test/normal/a.png", "test/tumor/b.png", *masks)
    load_datalist(root, "test")
    assert f"{root}/test/masks: 2 masks belong to no image: x.png, y.mha" in caplog.text


@pytest.mark.parametrize(
    "names",
    [
        ("test/normal/a.png", "test/tumor/b.png", "test/masks/b_label.png"),
        ("test/good/a.png", "test/crack/b.png", "ground_truth/crack/other.png"),
        ("test/good/img/a.png", "test/Ungood/img/b.png", "test/Ungood/label/c.png"),
    ],
)
def test_masks_of_which_none_fits_are_an_error(touch: Callable[..., Path], names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="none of its 1 masks belongs to an image"):
        load_datalist(touch(*names), "test")


def test_normal_images_need_no_mask(touch: Callable[..., Path]) -> None:
    root = touch("train/good/a.png", "test/good/img/b.png", "test/good/label/other.png", "test/Ungood/img/c.png")
    assert [(item["case"], item["label"]) for item in load_datalist(root, "test")] == [("c", 1), ("b", 0)]


def test_images_too_deep_in_a_labeled_folder_are_named(
    touch: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    root = touch("test/normal/a.png", "test/tumor/b.png", "test/tumor/patient_7/c.png")
    assert len(load_datalist(root, "test")) == 2
    assert "1 images are not part of the data: test/tumor/patient_7/c.png" in caplog.text


def test_images_of_any_name_are_known_by_their_first_bytes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pixels = np.zeros((3, 4, 5), dtype=np.uint8)
    nib.save(nib.Nifti1Image(pixels, np.eye(4)), tmp_path / "a.nii.gz")
    for name in ("scan", "b.nii.gz.part", "c.nii.gz~"):
        shutil.copy(tmp_path / "a.nii.gz", tmp_path / name)
    for name, form in (("p.jfif", "JPEG"), ("q.apng", "PNG"), ("r.tif.bak", "TIFF"), ("s.jpf", "JPEG2000")):
        Image.fromarray(pixels[0]).save(tmp_path / name, form)
    (tmp_path / "notes").write_text("nothing")
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(b"a,b\n" * 100))
    (tmp_path / "broken.gz").write_bytes(b"\x1f\x8bno")
    assert cases(tmp_path) == ["a"]
    assert "7 files are not read" in caplog.text and "1 without suffix (scan)" in caplog.text
    assert "notes" not in caplog.text and "csv" not in caplog.text


def test_a_folder_without_normal_images_is_told(touch: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    root = touch("train/normal/a.png", "test/gesund/b.png", "test/krank/c.png")
    assert set(labels(root).values()) == {1}
    assert "test: no folder in it is called normal, so all its images count as abnormal" in caplog.text
    assert "train: no folder" not in caplog.text
