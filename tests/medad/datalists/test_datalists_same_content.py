# SPDX-License-Identifier: Apache-2.0
"""An image that lies in two splits under two names is a leak."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
