# SPDX-License-Identifier: Apache-2.0
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from medad.loading.training_cache import TrainingCache
from medad.transforms import RandSyntheticLesions, RandSyntheticLesionsd, insert_lesions
from monai.data import DataLoader
from scipy import stats
from torch import Tensor

SHAPES = [(1, 32, 28), (3, 24, 24), (1, 16, 18, 14)]


def _always(seed: int = 0, **arguments: Any) -> RandSyntheticLesions:
    return RandSyntheticLesions(prob=1.0, **arguments).set_random_state(seed)


def _lesions(count: int, axes: int = 2, **arguments: Any) -> list[Any]:
    transform, drawn = _always(1, **arguments), []
    for _ in range(count):
        transform.randomize(axes)
        drawn.append(list(transform.lesions))
    return drawn


@pytest.mark.parametrize("shape", SHAPES)
def test_lesions_and_what_heals_them(shape: tuple[int, ...]) -> None:
    image, depth, transform = 0.5 + torch.rand(shape), torch.ones(1, *shape[1:]), _always()
    before, marked = image.clone(), 0
    for _ in range(20):
        result = transform(image, depth)
        assert result.image.shape == shape and result.image.dtype == torch.float32
        assert set(result.lesions.unique().tolist()) <= {-1.0, 0.0, 1.0}
        torch.testing.assert_close(result.image + result.change, image, atol=1e-6, rtol=0)
        assert float(result.image.min()) >= 0.0
        marked += bool((result.lesions == 1).any())
    assert torch.equal(image, before) and marked > 10


@pytest.mark.parametrize("prob", [0.0, 0.75, 1.0])
def test_how_many_images_get_lesions(prob: float) -> None:
    transform = RandSyntheticLesions(prob).set_random_state(2)
    counts = []
    for _ in range(1000):
        transform.randomize(2)
        counts.append(len(transform.lesions))
    share = np.mean(np.array(counts) > 0)
    assert abs(share - prob) <= 4 * np.sqrt(prob * (1 - prob) / 1000)
    assert set(counts) <= {0, 1, 2, 3}


def test_one_to_three_lesions() -> None:
    numbers = np.array([len(each) for each in _lesions(2000)])
    expected = {1: 0.65 * 0.8, 2: 0.35 * 0.8 + 0.65 * 0.2, 3: 0.35 * 0.2}
    for number, share in expected.items():
        assert abs(np.mean(numbers == number) - share) < 4 * np.sqrt(share * (1 - share) / 2000)


@pytest.mark.parametrize("axes", [2, 3])
def test_sizes_are_spread_over_their_range(axes: int) -> None:
    """The longest half axis is the radius, whose logarithm is uniform; the others are at least half as long."""
    first = [each[0] for each in _lesions(500, axes, radius=(0.02, 0.3))]
    halves = np.array([1.0 / np.linalg.svd(lesion.shape.numpy())[1] for lesion in first])
    longest = halves.max(axis=1)
    assert stats.kstest(np.log(longest / 0.02) / np.log(15.0), "uniform").pvalue > 0.01
    assert (halves >= 0.499 * longest[:, None]).all()
    rotations = np.array([np.linalg.svd(lesion.shape.numpy())[2][-1] for lesion in first])
    assert np.abs(np.mean(rotations[:, :, None] * rotations[:, None, :], axis=0) - np.eye(axes) / axes).max() < 0.1


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_how_many_lesions_are_bright(share: float) -> None:
    contrasts = np.array([lesion.contrast for each in _lesions(1000, bright_share=share) for lesion in each])
    bright = contrasts > 0
    assert abs(bright.mean() - share) <= 4 * np.sqrt(share * (1 - share) / len(contrasts))
    for sign, scale in ((bright, 1.0), (~bright, 0.6)):
        if sign.any():
            sizes = np.abs(contrasts[sign]) / scale
            assert sizes.min() >= 0.12 and sizes.max() <= 1.2
            assert stats.kstest(np.log(sizes / 0.12) / np.log(10.0), "uniform").pvalue > 0.01


def test_the_state_decides() -> None:
    image, depth = torch.rand(1, 32, 32), torch.ones(1, 32, 32)
    runs = [[transform(image, depth).image for _ in range(5)] for transform in (_always(5), _always(5), _always(6))]
    assert all(torch.equal(one, other) for one, other in zip(runs[0], runs[1], strict=True))
    assert not any(torch.equal(one, other) for one, other in zip(runs[0], runs[2], strict=True))


def test_the_drawn_lesions_can_be_put_in_again() -> None:
    image, depth, transform = torch.rand(1, 32, 32), torch.ones(1, 32, 32), _always()
    drawn = transform(image, depth)
    again = insert_lesions(image, depth, transform.lesions, transform.spare_dark)
    for result in (transform(image, depth, randomize=False), again):
        assert all(torch.equal(one, other) for one, other in zip(drawn, result, strict=True))


def test_without_a_depth_lesions_may_be_anywhere() -> None:
    image = torch.rand(1, 32, 32)
    one, other = _always(3)(image), _always(3)(image, torch.ones(1, 32, 32))
    assert torch.equal(one.image, other.image) and not torch.equal(one.image, image)


def test_the_dictionary_form_is_the_array_form() -> None:
    item = {"image": torch.rand(1, 32, 32), "depth": torch.ones(1, 32, 32), "label": 0}
    result = RandSyntheticLesionsd(prob=1.0).set_random_state(7)(item)
    lesioned = _always(7)(item["image"], item["depth"])  # type: ignore[arg-type]
    assert set(result) == {*item, "change", "lesions"} and set(item) == {"image", "depth", "label"}
    for key, value in zip(("image", "change", "lesions"), lesioned, strict=True):
        assert torch.equal(result[key], value)


def test_loaded_by_a_data_loader_every_item_and_epoch_is_another() -> None:
    items: list[dict[str, Tensor]] = [
        {"image": torch.full((1, 32, 32), 0.5), "depth": torch.ones(1, 32, 32)} for _ in range(4)
    ]
    loader = DataLoader(
        TrainingCache(items, RandSyntheticLesionsd(prob=1.0), progress=False), batch_size=2, num_workers=1
    )
    seen = torch.cat([batch["image"] for _ in range(2) for batch in loader]).flatten(1)
    assert len(torch.unique(seen, dim=0)) == 8
    pickle.loads(pickle.dumps(loader.dataset.transform))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"prob": 1.5}, "prob"),
        ({"radius": (0.3, 0.1)}, "radius"),
        ({"radius": (0.0, 0.1)}, "radius"),
        ({"contrast": (0.1,)}, "contrast"),
        ({"bright_share": 1.5}, "bright_share"),
        ({"spare_dark_prob": -0.1}, "spare_dark_prob"),
        ({"keys": ["image", "other"]}, "one key"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RandSyntheticLesionsd(**arguments)
