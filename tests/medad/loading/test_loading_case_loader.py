# SPDX-License-Identifier: Apache-2.0
import numpy as np
import torch
from medad.loading import (
    CaseDataset,
    CaseLoader,
    cases_by_shape,
    collate_cases,
)
from medad.transforms import CheckImaged, LoadImageFiled, LoadMaskd
from monai.transforms import (
    Compose,
    Resized,
)

LOAD = Compose([LoadImageFiled("image"), CheckImaged("image", 1, 2), LoadMaskd()])


def item(case, path, **entries):
    return {"image": str(path), "case": case, "subject_id": case, **entries}


def test_batch_of_failures_only():
    records = [{"case": "a", "failure": "x"}, {"case": "b", "failure": "y"}]
    assert collate_cases(records) == {"cases": [], "failures": records}


def test_batch_of_several_formats_with_and_without_mask(png, nifti):
    paths = [png("a.png"), png("b.tif"), nifti("c.nii", np.eye(5, 7, dtype=np.uint8))]
    data = [item("a", paths[0], mask=""), *(item(path, path) for path in paths[1:])]
    dataset = CaseDataset(data, LOAD)
    batch = collate_cases([dataset[index] for index in range(3)])
    assert batch["image"].shape == (3, 1, 5, 7)
    assert ["mask" in case for case in batch["cases"]] == [True, False, False]


def test_images_of_other_shapes_are_not_stacked(png):
    dataset = CaseDataset([item("a", png("a.png")), item("b", png("b.png", np.eye(3, 4, dtype=np.uint8)))], LOAD)
    batch = collate_cases([dataset[0], dataset[1], dataset[0]])
    assert "image" not in batch and len(batch["cases"]) == 3
    assert [[case["case"] for case in part] for part in cases_by_shape(batch["cases"])] == [["a", "a"], ["b"]]
    resized = CaseDataset(dataset.data, Compose([LOAD, Resized("image", (4, 4))]))
    assert collate_cases([resized[0], resized[1]])["image"].shape == (2, 1, 4, 4)


def test_loader_takes_volumes_one_by_one(png, nifti):
    volumes = [nifti(f"{depth}.nii", np.random.default_rng(0).random((5, 7, depth))) for depth in (2, 3)]
    dataset = CaseDataset([item(path, path) for path in volumes], LOAD)
    assert [batch["image"].shape[-1] for batch in CaseLoader(dataset, 8, spatial_dims=2)] == [2, 3]


def test_multi_channel_item(png):
    dataset = CaseDataset([item("a", "") | {"image": [png("a.png"), png("b.png")]}], LoadImageFiled("image"))
    assert torch.equal(dataset[0]["image"][0], dataset[0]["image"][1])
