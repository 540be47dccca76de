# SPDX-License-Identifier: Apache-2.0
"""Listing a folder ends and tells everything, whatever links, pipes and forbidden folders lie in it."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from good_files import GOOD, head, write_dicom
from medad.datalists import load_datalist
from medad.errors import InputError
from medad.loading import CaseDataset, loader_batch_size
from medad.transforms import LoadImageFiled


@pytest.fixture
def forbid(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Take the permission to read a path away, also from root."""
    forbidden: set[str] = set()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) not in forbidden and access(path, mode))
    return lambda path: forbidden.add(str(path))


def test_loops_of_folders_end_and_each_folder_counts_once(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        GOOD["gray.png"](tmp_path / name / f"{name}.png")
        for target in (".", "..", "../a", "../b", "../c"):
            (tmp_path / name / f"to_{target.replace('/', '_')}").symlink_to(target)
    start = time.perf_counter()
    items = load_datalist(tmp_path, "inference", recursive=True)
    assert sorted(item["case"] for item in items) == ["a", "b", "c"]
    assert time.perf_counter() - start < 2


def test_the_first_name_of_a_folder_counts(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    GOOD["gray.png"](tmp_path / "b" / "image.png")
    (tmp_path / "a").symlink_to("b")
    assert load_datalist(tmp_path, "inference", recursive=True)[0]["image"] == str(tmp_path / "a" / "image.png")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.symlink_to(path.name), "links that lead in a circle"),
        (lambda path: path.symlink_to("nowhere"), "a link to nowhere, which does not exist"),
        (os.mkfifo, "a named pipe found"),
        (lambda path: path.symlink_to("/dev/zero"), "a device found"),
    ],
)
def test_a_data_set_that_is_none(tmp_path: Path, make: Any, message: str) -> None:
    make(tmp_path / "data")
    with pytest.raises(InputError, match=message):
        load_datalist(tmp_path / "data", "inference")


def test_forbidden_folders_fail_in_sight(tmp_path: Path, forbid: Any) -> None:
    (tmp_path / "open").mkdir()
    GOOD["gray.png"](tmp_path / "open" / "image.png")
    (tmp_path / "closed").mkdir()
    forbid(tmp_path / "closed")
    items = load_datalist(tmp_path, "inference", recursive=True)
    assert [item["case"] for item in items] == ["closed", "image"]
    failed, read = (CaseDataset(items, LoadImageFiled("image"))[index] for index in range(2))
    assert "closed: permission denied" in failed["failure"] and read["image"].shape == (1, 32, 40)
    forbid(tmp_path)
    with pytest.raises(InputError, match="permission denied"):
        load_datalist(tmp_path, "inference")


def test_a_damaged_slice_does_not_vanish_from_its_series(tmp_path: Path) -> None:
    for number, pixels in enumerate(head(3, 40, 32)):
        write_dicom(tmp_path / f"{number}.dcm", pixels, number)
    (tmp_path / "2.dcm").write_bytes(b"not any more")
    items = load_datalist(tmp_path, "inference")
    results = [CaseDataset(items, LoadImageFiled("image"))[index] for index in range(len(items))]
    assert results[0]["image"].shape == (1, 32, 40, 2)
    assert len(results) == 2 and "2.dcm" in results[1]["failure"]


def test_a_missing_file_costs_its_case_in_inference_and_the_start_elsewhere(tmp_path: Path) -> None:
    rows = [{"image": "gone.png", "label": 0}]
    (tmp_path / "datalist.json").write_text(json.dumps({"test": rows, "training": [{"image": "other.png"}]}))
    assert [item["case"] for item in load_datalist(tmp_path, "inference")] == ["gone"]
    for split in ("test", "training"):
        with pytest.raises(InputError, match="does not exist"):
            load_datalist(tmp_path, split)


@pytest.mark.parametrize("image", [5, ["a.png", None], {"path": "a.png"}, [[]]])
def test_an_entry_that_is_no_path_is_named(tmp_path: Path, image: Any) -> None:
    (tmp_path / "datalist.json").write_text(json.dumps({"inference": [{"image": image}]}))
    with pytest.raises(InputError, match="entry 0 of inference is no path"):
        load_datalist(tmp_path, "inference")


@pytest.mark.parametrize("content", [b"\xff\xfe{", b"[" * 100_000, b"{"])
def test_a_broken_datalist_is_one_message(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "datalist.json").write_bytes(content)
    with pytest.raises(InputError, match="not valid JSON"):
        load_datalist(tmp_path, "inference")


def test_a_null_character_in_a_path_costs_its_case(tmp_path: Path) -> None:
    (tmp_path / "datalist.json").write_text(json.dumps({"inference": [{"image": "a\0b.png"}]}))
    (item,) = load_datalist(tmp_path, "inference")
    assert "cannot be opened" in CaseDataset([item], LoadImageFiled("image"))[0]["failure"]


def test_looking_for_volumes_opens_no_pipe(tmp_path: Path) -> None:
    for name in ("pipe.tif", "pipe.dcm", "pipe"):
        os.mkfifo(tmp_path / name)
    items = [{"image": str(path)} for path in tmp_path.iterdir()]
    assert loader_batch_size(items, 4, spatial_dims=2) == 4


def test_a_damaged_archive_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04" + bytes(200))
    with pytest.raises(InputError, match="it cannot be read"):
        load_datalist(tmp_path / "x.npz", "test")
    assert loader_batch_size([{"image": f"{tmp_path}/x.npz#test_images[0]"}], 4, spatial_dims=2) == 4
