# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from medad.errors import InputError
from medad.loading import (
    training_dataset,
)
from medad.transforms import CheckImaged, LoadImageFiled, LoadMaskd, OrientVolumed, SlicesOfVolume
from monai.data import CacheDataset, DataLoader, get_track_meta
from monai.transforms import (
    Compose,
    Lambdad,
    RandAdjustContrastd,
    RandAffined,
    RandFlipd,
    RandLambdad,
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


def test_volumes_become_slices_and_random_steps_come_after(nifti):
    volume = np.zeros((6, 5, 8), np.float32)
    volume[1:5, 1:4, 2:6] = np.random.default_rng(0).random((4, 3, 4)) + 1
    axial = np.diag([-1.0, -1.0, 1.0, 1.0])
    items = [item("a", nifti("a.nii.gz", volume, axial)), item("b", nifti("b.nii.gz", 2 * volume, axial))]
    seen = []
    steps = [
        *LOAD.transforms,
        SlicesOfVolume(2),
        Lambdad("image", lambda image: seen.append(image.shape) or image),
        SelectItemsd("image"),
        RandFlipd("image", prob=1.0, spatial_axis=0),
    ]
    dataset = training_dataset(items, Compose(steps), progress=False)
    assert len(dataset) == 8 and seen == [(1, 6, 5)] * 8
    for index in range(8):
        expected = (1 + index // 4) * volume[::-1, :, 2 + index % 4]
        assert torch.equal(dataset[index]["image"], torch.from_numpy(expected.copy())[None])
    assert next(iter(DataLoader(dataset, batch_size=8)))["image"].shape == (8, 1, 6, 5)
    with pytest.raises(InputError, match="none of the slices of 2 volumes"):
        training_dataset(items, [*LOAD.transforms, NoSlices(2)], progress=False)


class NoSlices(SlicesOfVolume):
    """Choose none."""

    def __call__(self, data):
        return super().__call__(data)[:0]


def test_an_item_counted_from_the_end_is_the_same_one(nifti):
    volume = np.random.default_rng(0).random((6, 5, 4)).astype(np.float32)
    items = [
        item(name, nifti(f"{name}.nii", volume + n, np.diag([1.0, -1.0, 1.0, 1.0]))) for n, name in enumerate("abcd")
    ]
    steps = Compose([LoadImageFiled("image"), OrientVolumed("image"), SelectItemsd("image")])
    dataset = training_dataset(items, steps, cache_rate=0.5, progress=False)  # the last two are not cached
    for index in (-1, -2, 2, 3):
        assert torch.equal(dataset[index]["image"][0], torch.from_numpy(volume[::-1].copy()) + index % 4)


def test_marked_volumes_of_a_labeling_application_give_slices_of_both_classes(nifti):
    image = np.random.default_rng(0).integers(1, 255, (6, 5, 4), dtype=np.uint8)
    mask = np.zeros_like(image)
    empty = nifti("empty.nii", mask)
    mask[2, 2, 1:3] = 1
    listed = [
        {"image": nifti("a.nii", image), "label": nifti("marked.nii", mask)},
        {"image": nifti("b.nii", image), "label": empty},
    ]
    steps = Compose([LoadImageFiled("image"), LoadMaskd(), OrientVolumed("image"), SlicesOfVolume(2, 0.0)])
    slices = training_dataset(listed, steps, progress=False, both_classes=True)
    assert [int(slices[number]["label"]) for number in range(8)] == [0, 1, 1, 0, 0, 0, 0, 0]
