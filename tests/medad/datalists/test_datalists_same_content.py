# SPDX-License-Identifier: Apache-2.0
"""An image that lies in two splits under two names is a leak."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from medad.datalists import load_datalist
from medad.errors import InputError


def write_list(folder: Path, **splits: list[str]) -> Path:
    rows: dict[str, list[dict[str, Any]]] = {
        split: [{"image": name, "label": int(split == "training_abnormal")} for name in names]
        for split, names in splits.items()
    }
    (folder / "datalist.json").write_text(json.dumps(rows))
    return folder


@pytest.mark.parametrize("other", ["test", "validation", "calibration"])
@pytest.mark.parametrize("split", ["training", "training_abnormal"])
def test_a_copy_in_another_split_is_refused(png: Callable[..., str], tmp_path: Path, split: str, other: str) -> None:
    first = Path(png("a.png", np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)))
    shutil.copy(first, tmp_path / "b.png")
    png("c.png")
    root = write_list(tmp_path, **{split: ["a.png", "c.png"], other: ["b.png"]})
    with pytest.raises(InputError, match=rf"a\.png in training and {tmp_path}/b\.png in {other} are the same image"):
        load_datalist(root, other)


def test_what_is_no_leak(png: Callable[..., str], tmp_path: Path) -> None:
    pixels = np.zeros((64, 64), dtype=np.uint8)
    for name in "abcd":
        np.save(tmp_path / name, pixels)  # the same in the middle, in size and header
        (tmp_path / f"{name}.png").write_bytes((tmp_path / f"{name}.npy").read_bytes()[:-1] + name.encode())
    shutil.copy(tmp_path / "a.png", tmp_path / "twin.png")
    (tmp_path / "empty.png").touch()
    (tmp_path / "void.png").touch()
    root = write_list(
        tmp_path,
        training=["a.png", "empty.png", "twin.png"],  # twice in one split
        test=["b.png", "void.png"],
        inference=["c.png"],
    )
    assert len(load_datalist(root, "test")) == 2
    shutil.copy(tmp_path / "a.png", tmp_path / "c.png")  # what is only inferred may be known
    assert len(load_datalist(root, "training")) == 3


def test_a_series_is_compared_by_its_first_slice(dicom_series: Callable[..., np.ndarray], tmp_path: Path) -> None:
    dicom_series("train/normal/one")
    shutil.copytree(tmp_path / "train" / "normal" / "one", tmp_path / "test" / "normal" / "two")
    with pytest.raises(InputError, match="are the same image"):
        load_datalist(tmp_path, "training")


def test_published_splits_are_told_and_stay(
    png: Callable[..., str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    png("images/a.png")
    shutil.copy(tmp_path / "images" / "a.png", tmp_path / "images" / "b.png")
    (tmp_path / "data.json").write_text(json.dumps({"train": {"0": ["a.png"]}, "test": {"0": ["b.png"], "1": []}}))
    assert len(load_datalist(tmp_path, "test")) == 1
    assert "1 images are in two splits" in caplog.text


def test_held_out_copies_are_told(png: Callable[..., str], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    png("a.png")
    shutil.copy(tmp_path / "a.png", tmp_path / "b.png")
    root = write_list(tmp_path, training=["a.png", "b.png"])
    assert len(load_datalist(root, "calibration", holdout_fraction=0.5)) == 1
    assert "1 images are in two splits" in caplog.text


def test_copies_in_other_splits_of_another_data_set_are_refused(png: Callable[..., str], tmp_path: Path) -> None:
    for name in ("one", "two"):
        png(f"{name}/{name}.png")
        png(f"{name}/t.png", np.full((5, 5), len(name), dtype=np.uint8) + (name == "two"))
    write_list(tmp_path / "one", training=["one.png"], test=["t.png"])
    write_list(tmp_path / "two", training=["t.png"], test=["two.png"])
    with pytest.raises(InputError, match=r"one\.png in training and .*two\.png in test are the same image"):
        load_datalist([tmp_path / "one", tmp_path / "two"], "test")


def packed(path: Path, content: bytes, time: int) -> None:
    with path.open("wb") as file, gzip.GzipFile(path.name, "wb", 1 + time, file, mtime=time) as writer:
        writer.write(content)


def test_a_volume_that_was_packed_again_is_a_copy(nifti: Callable[..., str], tmp_path: Path) -> None:
    content = Path(nifti("plain.nii", np.random.default_rng(0).normal(size=(9, 8, 7)))).read_bytes()
    other = Path(nifti("other.nii", np.random.default_rng(1).normal(size=(9, 8, 7)))).read_bytes()
    assert len(content) == len(other)
    for number, (name, unpacked) in enumerate({"a": content, "b": content, "c": other}.items()):
        packed(tmp_path / f"{name}.nii.gz", unpacked, time=number)
    assert (tmp_path / "a.nii.gz").read_bytes() != (tmp_path / "b.nii.gz").read_bytes()
    for first, second in (("a.nii.gz", "b.nii.gz"), ("plain.nii", "a.nii.gz"), ("a.nii.gz", "plain.nii")):
        with pytest.raises(InputError, match=f"{first} in training and .*{second} in test are the same image"):
            load_datalist(write_list(tmp_path, training=[first, "other.nii"], test=[second]), "test")
    for first, second in (("a.nii.gz", "c.nii.gz"), ("plain.nii", "c.nii.gz")):
        assert load_datalist(write_list(tmp_path, training=[first], test=[second]), "test")


def test_images_of_archives_are_compared_by_their_values(
    png: Callable[..., str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images = np.random.default_rng(0).integers(0, 255, (3, 8, 9), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images)
    np.savez_compressed(tmp_path / "b.npz", others=images[::-1].copy())
    root = write_list(tmp_path, training=["a.npz#images[0]"], test=["b.npz#others[2]"])
    with pytest.raises(
        InputError, match=r"a\.npz#images\[0\] in training and .*b\.npz#others\[2\] in test are the same"
    ):
        load_datalist(root, "test")
    assert load_datalist(write_list(tmp_path, training=["a.npz#images[0]"], test=["b.npz#others[0]"]), "test")
    labels = np.zeros((3, 1), np.uint8)
    parts = {"train": images, "test": np.concatenate([images[:1], images[:2] // 2])}
    np.savez(tmp_path / "m.npz", **{f"{name}_images": part for name, part in parts.items()}, train_labels=labels,
             test_labels=labels)  # fmt: skip
    assert len(load_datalist(tmp_path / "m.npz", "test")) == 3  # published
    assert "1 images are in two splits" in caplog.text


META = "NDims = 3\nDimSize = 9 8 7\nElementType = MET_UCHAR\n{}ElementDataFile = {}\n"
NRRD = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 9 8 7\nencoding: raw\n{}data file: {}\n\n"
SKIPS = {".mhd": "HeaderSize = 504\n", ".nhdr": "byte skip: 504\n"}


def detached(path: Path, values: Path, skip: str = "") -> str:
    path.write_text({".mhd": META, ".nhdr": NRRD}[path.suffix].format(skip, values.name))
    return path.name


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_values_beside_a_header_are_what_is_compared(tmp_path: Path, suffix: str) -> None:
    values = np.random.default_rng(0).integers(0, 255, (2, 9 * 8 * 7), dtype=np.uint8)
    files = {"a/v.raw": values[0], "b/v.raw": values[1], "b/other.raw": values[0], "both.raw": values}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content.tobytes())
    for name in ("a/v", "b/v", "b/other"):
        detached(tmp_path / f"{name}{suffix}", tmp_path / f"{name}.raw")
    a, b, copy = (f"{name}{suffix}" for name in ("a/v", "b/v", "b/other"))
    assert (tmp_path / a).read_bytes() == (tmp_path / b).read_bytes()
    assert load_datalist(write_list(tmp_path, training=[a], test=[b]), "test")
    with pytest.raises(InputError, match="are the same image"):
        load_datalist(write_list(tmp_path, training=[a], test=[copy]), "test")
    halves = [detached(tmp_path / f"{name}{suffix}", tmp_path / "both.raw", skip)
              for name, skip in (("first", ""), ("second", SKIPS[suffix]))]  # fmt: skip
    assert load_datalist(write_list(tmp_path, training=halves[:1], test=halves[1:]), "test")


@pytest.mark.parametrize("suffix", [".hdr", ".img"])
def test_a_nifti_pair_is_compared_by_its_image(tmp_path: Path, suffix: str) -> None:
    values = np.random.default_rng(0).normal(size=(2, 9, 8, 7)).astype(np.float32)
    for name, volume in zip("abc", (values[0], values[1], values[0]), strict=True):
        nib.save(nib.Nifti1Pair(volume, np.eye(4)), tmp_path / f"{name}.img")
    a, b, c = (f"{name}{suffix}" for name in "abc")
    assert load_datalist(write_list(tmp_path, training=[a], test=[b]), "test")
    with pytest.raises(InputError, match="are the same image"):
        load_datalist(write_list(tmp_path, training=[a, b], test=[c]), "test")
    with pytest.raises(InputError, match="are the same image"):
        load_datalist(write_list(tmp_path, training=["a.img", b], test=["c.hdr"]), "test")
