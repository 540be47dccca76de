# SPDX-License-Identifier: Apache-2.0
"""Several data sets as one: names, union, what tells their cases apart, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from medad.datalists import load_datalist
from medad.datalists.several_datasets import name_datasets
from medad.engines import postprocess_case
from medad.errors import InputError
from medad.keys import Keys
from medad.loading import CaseDataset, CaseLoader
from torch.utils.data import DataLoader

FILES = ("train/normal/a.png", "validation/normal/v.png", "test/normal/n.png", "test/lesion/x.png")


def folders(root: Path, *names: str) -> Path:
    """Write a data set of empty files: layouts look at names only."""
    for name in names or FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.fixture
def two(tmp_path):
    """A data set with masks, and one without, of other layout."""
    brain = folders(tmp_path / "brain", *FILES, "test/masks/x.png")
    chest = tmp_path / "chest"
    folders(chest, "a.png", "b.png", "c.png")
    splits = {
        "training": [{"image": "a.png", "subject_id": "1", "dataset": "dropped"}],
        "test": [{"image": "b.png", "label": 0, "subject_id": "2"}, {"image": "c.png", "label": 1, "subject_id": "2"}],
    }
    (chest / "datalist.json").write_text(json.dumps(splits))
    return brain, chest


def test_the_union_tells_its_sets_apart(two):
    brain, chest = two
    items = load_datalist([brain, str(chest)], "test")
    assert [(item["dataset"], item["case"], item["subject_id"], item["label"], item.get("mask")) for item in items] == [
        ("brain", "brain_x", "brain/x", 1, str(brain / "test/masks/x.png")),
        ("brain", "brain_n", "brain/n", 0, ""),
        ("chest", "chest_b", "chest/2", 0, None),  # nothing is known about pixels there
        ("chest", "chest_c", "chest/2", 1, None),
    ]
    assert all(type(item[Keys.DATASET]) is str for item in items)
    named = load_datalist({"mr": brain, "xray": chest}, "test")
    assert [item["dataset"] for item in named] == ["mr", "mr", "xray", "xray"]
    assert [item["image"] for item in named] == [item["image"] for item in items]


def test_a_single_path_is_as_it_was(two):
    for path in two:
        for split in ("training", "test", "inference"):
            alone, listed = load_datalist(path, split), load_datalist([path], split)
            assert not any("dataset" in item for item in alone)
            bare = [{key: value for key, value in item.items() if key != "dataset"} for item in listed]
            prefix = path.name
            assert bare == [
                {**item, "case": f"{prefix}_{item['case']}", "subject_id": f"{prefix}/{item['subject_id']}"}
                for item in alone
            ]


def test_every_set_holds_out_its_own_subjects(tmp_path):
    roots = [folders(tmp_path / name, *(f"train/normal/{i}.png" for i in range(10))) for name in ("p", "q")]
    held = load_datalist(roots, "calibration", holdout_fraction=0.2)
    alone = [item["image"] for root in roots for item in load_datalist(root, "calibration", holdout_fraction=0.2)]
    assert [item["image"] for item in held] == alone
    assert [item["dataset"] for item in held] == ["p", "p", "q", "q"]
    kept = load_datalist(roots, "training", holdout_fraction=0.2)
    assert len(kept) == 16
    assert not {item["image"] for item in kept} & set(alone)


def test_cases_stay_unique(tmp_path):
    roots = {
        "a": folders(tmp_path / "1", "train/normal/b_c.png"),
        "a_b": folders(tmp_path / "2", "train/normal/C.png"),
    }
    assert [item["case"] for item in load_datalist(roots, "training")] == ["a_b_c", "a_b_C_2"]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/d/brain", "/d/chest.npz"], ["brain", "chest"]),
        (["/d/site a/", "/d/v1.2"], ["site_a", "v1.2"]),
        (["/d/x/list.json", "/d/head.nii.gz"], ["list", "head"]),
        (["/a/data", "/b/data", "/c/lung"], ["a_data", "b_data", "lung"]),
        (["/1/a/data", "/2/a/data", "/c/Data"], ["1_a_data", "2_a_data", "c_Data"]),
        (["/data", "/x/data"], ["data", "x_data"]),
    ],
)
def test_names_of_a_list(paths, names):
    assert name_datasets(paths) == dict(zip(names, map(Path, paths), strict=True))
    assert list(name_datasets(paths[::-1])) == names[::-1]  # whatever the order


def test_relative_paths_start_at_the_working_directory(two, monkeypatch):
    monkeypatch.chdir(two[0].parent)
    assert load_datalist(["brain", "chest/../chest"], "training") == load_datalist(list(two), "training")


def test_what_is_refused(two, tmp_path):
    brain, chest = two
    for wrong in ([], {}, [brain, 3], [brain, ""], 7 * [brain], {"a/b": brain}, {"": brain}, {3: brain}):
        with pytest.raises(InputError, match=r"dataset_dir: .* Expected a path"):
            load_datalist(wrong, "training")
    with pytest.raises(InputError, match=r"data sets called A, a"):
        load_datalist({"A": brain, "a": chest}, "training")
    with pytest.raises(InputError, match=r"data set chest .*the split calibration is missing"):
        load_datalist([brain, chest], "calibration")
    with pytest.raises(InputError, match=r"nowhere.* does not exist"):
        load_datalist([brain, tmp_path / "nowhere"], "training")
    with pytest.raises(InputError, match="does not have the layout folders"):
        load_datalist([brain, chest], "training", layout="folders")


def test_an_image_in_two_sets_is_refused_in_whatever_split(two, tmp_path):
    brain, _ = two
    other = tmp_path / "other"
    other.mkdir()
    (other / "link.png").symlink_to(brain / "test/lesion/x.png")
    (other / "datalist.json").write_text(json.dumps({"training": [{"image": "link.png"}]}))
    with pytest.raises(InputError, match=r"x\.png is in the data sets brain and other"):
        load_datalist([brain, other], "training")


def test_archives(tmp_path):
    for name in ("breast", "derma"):
        arrays = {"train_images": np.zeros((2, 4, 4), np.uint8), "train_labels": np.array([[0], [1]])}
        np.savez(tmp_path / f"{name}.npz", **arrays)
    items = load_datalist([str(tmp_path / "breast.npz"), str(tmp_path / "derma.npz")], "training")
    assert [(item["case"], item["dataset"]) for item in items] == [
        ("breast_train_00000", "breast"),
        ("derma_train_00000", "derma"),
    ]


def test_the_key_survives_to_the_result():
    items = [{"image": f"{name}.png", "case": name, "subject_id": "s", "dataset": f"set_{name}"} for name in "ab"]
    dataset = CaseDataset(items, lambda item: {**item, "image": torch.ones(1, 4, 4)})
    (batch,) = CaseLoader(dataset, batch_size=2, spatial_dims=2)
    done = [postprocess_case(case, case["image"], lambda case: case)[0] for case in batch["cases"]]
    assert [case[Keys.DATASET] for case in done] == ["set_a", "set_b"]
    assert next(iter(DataLoader(dataset, batch_size=2)))["dataset"] == ["set_a", "set_b"]  # as training collates
