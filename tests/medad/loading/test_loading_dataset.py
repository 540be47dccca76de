# SPDX-License-Identifier: Apache-2.0
"""A cohort goes on after a bad case; training decodes once and stops with the bare error."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from medad.errors import InputError, MedadError
from medad.loading import (
    CaseDataset,
    CaseLoader,
    collate_cases,
    last_batch_is_single,
    loader_batch_size,
    training_dataset,
)
from medad.transforms import CheckImaged, LoadImageFiled, LoadMaskd
from monai.data import CacheDataset, DataLoader, get_track_meta
from monai.transforms import (
    Compose,
    Lambdad,
    RandAdjustContrastd,
    RandAffined,
    RandFlipd,
    RandLambdad,
    Resized,
    SelectItemsd,
)
from monai.utils import set_determinism
from PIL import Image

LOAD = Compose([LoadImageFiled("image"), CheckImaged("image", 1, 2), LoadMaskd()])


def item(case, path, **entries):
    return {"image": str(path), "case": case, "subject_id": case, **entries}


@pytest.fixture
def cohort(png, tmp_path):
    return [
        item("good", png("good.png"), label=0),
        item("flat", png("flat.png", np.zeros((7, 5), np.uint8)), label=0),
        item("gone", tmp_path / "gone.png", label=1),
        item("other", png("other.png"), label=1),
    ]


@pytest.mark.parametrize("workers", [0, 2])
def test_cohort_goes_on(cohort, workers):
    first, second = list(CaseLoader(CaseDataset(cohort, LOAD), 2, 2, num_workers=workers))
    assert first["image"].shape == (1, 1, 5, 7)
    assert [record["case"] for record in first["failures"]] == ["flat"]
    assert "constant image" in first["failures"][0]["failure"]
    assert [case["case"] for case in second["cases"]] == ["other"]
    assert second["cases"][0]["image"].meta["filename_or_obj"].endswith("other.png")
    assert "gone.png: it does not exist" in second["failures"][0]["failure"]


def test_medad_messages_are_verbatim_others_have_their_type(cohort):
    def fail(error):
        def raise_it(_):
            raise error

        return Compose([Lambdad("label", raise_it)])

    record = CaseDataset(cohort, fail(MedadError("calm words")))[0]
    assert record == {"case": "good", "failure": "calm words"}
    assert CaseDataset(cohort, fail(KeyError("secret")))[0]["failure"] == "KeyError: 'secret'"
    assert len(CaseDataset(cohort, LOAD)) == 4


def test_traceback_only_at_debug(cohort, caplog):
    with caplog.at_level("INFO"):
        _ = CaseDataset(cohort, LOAD)[1]
    assert not caplog.text
    with caplog.at_level("DEBUG", "medad"):
        _ = CaseDataset(cohort, LOAD)[1]
    assert "Traceback" in caplog.text


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


def test_images_of_other_shapes_name_the_remedy(png):
    dataset = CaseDataset([item("a", png("a.png")), item("b", png("b.png", np.eye(3, 4, dtype=np.uint8)))], LOAD)
    with pytest.raises(InputError, match=r"\(1, 4, 3\), \(1, 5, 7\).*--batch_size 1"):
        collate_cases([dataset[0], dataset[1]])
    resized = CaseDataset(dataset.data, Compose([LOAD, Resized("image", (4, 4))]))
    assert collate_cases([resized[0], resized[1]])["image"].shape == (2, 1, 4, 4)


def test_loader_takes_volumes_one_by_one(png, nifti):
    volumes = [nifti(f"{depth}.nii", np.random.default_rng(0).random((5, 7, depth))) for depth in (2, 3)]
    dataset = CaseDataset([item(path, path) for path in volumes], LOAD)
    assert [batch["image"].shape[-1] for batch in CaseLoader(dataset, 8, spatial_dims=2)] == [2, 3]


def test_training_decodes_once_and_stays_random(cohort, monkeypatch):
    good = [cohort[0], cohort[3]]
    opened = []
    original = Image.open

    def counting_open(path, *args, **kwargs):
        opened.append(str(path))
        return original(path, *args, **kwargs)

    monkeypatch.setattr(Image, "open", counting_open)
    transform = Compose([LoadImageFiled("image"), RandFlipd("image", prob=0.5, spatial_axis=0)])
    dataset = training_dataset(good, transform, progress=False)
    seen = [dataset[index % 2]["image"][0, 0, 0].item() for index in range(20)]
    assert len(opened) == 2
    assert len(set(seen)) == 2


@pytest.mark.parametrize("cache_rate", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("workers", [0, 2])
def test_training_items_are_monais_without_metadata(cohort, cache_rate, workers):
    steps = [
        LoadImageFiled("image"),
        SelectItemsd("image"),
        RandFlipd("image", prob=0.5, spatial_axis=0),
        RandAffined("image", prob=1.0, rotate_range=0.3, scale_range=0.2, padding_mode="zeros"),
        RandAdjustContrastd("image", prob=1.0, gamma=(0.7, 1.3)),
    ]

    def batches(dataset):
        set_determinism(3)
        dataset.transform.set_random_state(7)
        return list(DataLoader(dataset, batch_size=1, shuffle=True, num_workers=workers))

    data = [cohort[0], cohort[3]] * 3
    ours = batches(training_dataset(data, Compose(steps), cache_rate=cache_rate, progress=False))
    theirs = batches(CacheDataset(data, Compose(steps), progress=False))
    assert all(type(batch["image"]) is torch.Tensor and list(batch) == ["image"] for batch in ours)
    assert all(torch.equal(a["image"], b["image"].as_tensor()) for a, b in zip(ours, theirs, strict=True))
    assert len({float(batch["image"].sum()) for batch in ours}) == 6
    assert get_track_meta()


def test_metadata_comes_back_after_an_error(cohort):
    dataset = training_dataset(
        cohort[:1], Compose([LoadImageFiled("image"), RandLambdad("image", lambda _: 1 / 0)]), progress=False
    )
    with pytest.raises(RuntimeError):
        dataset[0]
    assert get_track_meta()


@pytest.mark.parametrize("workers", [0, 2])
def test_training_stops_with_the_bare_error(cohort, workers):
    with pytest.raises(InputError, match="constant image") as caught:
        training_dataset(cohort[:2], LOAD, num_workers=workers, progress=False)
    assert caught.value.__suppress_context__
    with pytest.raises(RuntimeError, match="applying transform"):
        training_dataset(cohort[:1], Compose([Lambdad("label", lambda _: 1 / 0)]), progress=False)


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


def test_multi_channel_item(png):
    dataset = CaseDataset([item("a", "") | {"image": [png("a.png"), png("b.png")]}], LoadImageFiled("image"))
    assert torch.equal(dataset[0]["image"][0], dataset[0]["image"][1])


@pytest.mark.parametrize(
    ("images", "batch_size", "single"), [(9, 4, True), (8, 4, False), (10, 4, False), (1, 4, False), (5, 1, False)]
)
def test_a_last_batch_of_one_is_foreseen(images: int, batch_size: int, single: bool) -> None:
    assert last_batch_is_single(range(images), batch_size) is single
