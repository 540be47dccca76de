# SPDX-License-Identifier: Apache-2.0
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from medad.errors import InputError
from medad.loading.training_cache import TrainingCache
from medad.transforms import RandSyntheticAnomaly, RandSyntheticAnomalyd, insert_anomaly
from monai.data import DataLoader
from scipy import ndimage, stats
from torch import Tensor

SHAPES = [(1, 40, 32), (3, 32, 33), (1, 20, 18, 16), (3, 16, 16, 17)]


def _always(seed: int = 0, **arguments: Any) -> RandSyntheticAnomaly:
    return RandSyntheticAnomaly(prob=1.0, **arguments).set_random_state(seed)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_mask_is_where_a_channel_changed_visibly(shape: tuple[int, ...]) -> None:
    image, transform = torch.rand(shape), _always(min_change=0.05)
    before, shares = image.clone(), []
    for _ in range(40):
        changed, mask = transform(image)
        assert changed.shape == shape and changed.dtype == torch.float32
        assert mask.shape == (1, *shape[1:]) and mask.dtype == torch.float32
        assert changed.min() >= 0.0 and changed.max() <= 1.0
        assert torch.equal(mask.bool()[0], ((changed - image).abs() > 0.05).any(dim=0))
        shares.append(float(mask.mean()))
    assert torch.equal(image, before)
    assert 0.0 < min(shares) < max(shares) < 0.5


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_outside_the_foreground_changes(shape: tuple[int, ...]) -> None:
    image, transform = torch.rand(shape), _always()
    foreground = torch.zeros((1, *shape[1:]), dtype=torch.uint8)
    foreground[:, 3:12, 5:14] = 1
    total = 0.0
    for _ in range(30):
        changed, mask = transform(image, foreground)
        outside = (foreground == 0).expand_as(image)
        assert torch.equal(changed[outside], image[outside])
        assert not mask[foreground == 0].any()
        total += float(mask.sum())
    assert total > 30


def test_an_empty_foreground_leaves_the_image() -> None:
    image = torch.rand(1, 16, 16)
    changed, mask = _always()(image, torch.zeros(1, 16, 16))
    assert torch.equal(changed, image) and not mask.any()


@pytest.mark.parametrize("prob", [0.0, 0.3, 1.0])
def test_how_often_images_are_changed(prob: float) -> None:
    image, transform = torch.rand(1, 24, 24), RandSyntheticAnomaly(prob).set_random_state(1)
    pairs = [transform(image) for _ in range(400)]
    for changed, mask in pairs:
        assert torch.equal(changed, image) or mask.any() or (changed - image).abs().max() <= 0.03
    share = np.mean([not torch.equal(changed, image) for changed, _ in pairs])
    assert abs(share - prob) <= 4 * np.sqrt(prob * (1 - prob) / 400)


def test_sizes_kinds_and_edges_vary() -> None:
    """From a few voxels to a third of the image; both kinds, hard edges and soft ones, on smooth images."""
    image = torch.as_tensor(ndimage.gaussian_filter(np.random.default_rng(0).random((64, 64)), 6), dtype=torch.float32)
    image, transform = ((image - image.min()) / (image.max() - image.min()))[None], _always(2)
    shares, kinds, steps = [], [], []
    for _ in range(500):
        changed, mask = transform(image)
        shares.append(float(mask.mean()))
        kinds.append(transform.anomaly.source is None)  # type: ignore[union-attr]
        difference = (changed - image).abs()[0]
        steps.append(float(difference.diff(dim=0).abs().max() / difference.max().clamp(min=1e-6)))
    few, many = np.quantile(shares, [0.05, 0.95])
    assert few < 0.01 and many > 0.1 and 0.2 < max(shares) < 0.45
    assert 0.4 < np.mean(kinds) < 0.6
    assert np.quantile(steps, 0.1) < 0.3 and np.quantile(steps, 0.9) > 0.6
    assert np.mean(np.array(shares) == 0) < 0.02


def test_the_state_decides() -> None:
    image = torch.rand(1, 32, 32)
    runs = [[transform(image)[0] for _ in range(5)] for transform in (_always(5), _always(5), _always(6))]
    assert all(torch.equal(one, other) for one, other in zip(runs[0], runs[1], strict=True))
    assert not any(torch.equal(one, other) for one, other in zip(runs[0], runs[2], strict=True))
    assert not torch.equal(runs[0][0], runs[0][1])


def test_the_drawn_anomaly_can_be_put_in_again() -> None:
    image, transform = torch.rand(1, 32, 32), _always()
    changed, mask = transform(image)
    for again in (transform(image, randomize=False), insert_anomaly(image, transform.anomaly, None, 0.03)):  # type: ignore[arg-type]
        assert torch.equal(again[0], changed) and torch.equal(again[1], mask)


def test_the_dictionary_form_is_the_array_form() -> None:
    case = {"image": torch.rand(1, 32, 32), "foreground": (torch.rand(1, 32, 32) > 0.3).float(), "label": 0}
    result = RandSyntheticAnomalyd("image", prob=1.0).set_random_state(7)(case)
    changed, mask = _always(7)(case["image"], case["foreground"])  # type: ignore[arg-type]
    assert set(result) == {*case, "target"} and "target" not in case
    assert torch.equal(result["image"], changed) and torch.equal(result["target"], mask) and mask.any()
    anywhere = RandSyntheticAnomalyd("image", mask_key="mask", foreground_key="none", prob=1.0).set_random_state(7)(
        case
    )
    assert torch.equal(anywhere["mask"], _always(7)(case["image"])[1])  # type: ignore[arg-type]


def test_loaded_by_a_data_loader_every_item_and_epoch_is_another() -> None:
    """Plain tensors in and out, in processes beside the training, as a cached training set gives them."""
    images: list[dict[str, Tensor]] = [{"image": torch.full((1, 32, 32), 0.5)} for _ in range(4)]
    transform = RandSyntheticAnomalyd("image", prob=1.0)
    loader = DataLoader(TrainingCache(images, transform, progress=False), batch_size=2, num_workers=1)
    seen = [batch for _ in range(2) for batch in loader]
    assert {type(value) for batch in seen for value in batch.values()} == {Tensor}
    changed = torch.cat([batch["image"] for batch in seen]).flatten(1)
    assert len(torch.unique(changed, dim=0)) == 8
    pickle.dumps(transform)


@pytest.mark.parametrize(
    ("image", "foreground", "message"),
    [
        (torch.full((1, 16, 16), 1.2), None, r"values from 1.2 to 1.2.*\[0, 1\]"),
        (torch.full((1, 16, 16), torch.nan), None, "values from nan"),
        (torch.zeros(1, 16, 16, dtype=torch.uint8), None, "uint8"),
        (torch.rand(16, 16), None, r"shape \(16, 16\)"),
        (torch.rand(1, 16, 16), torch.ones(1, 8, 16), r"foreground of shape \(1, 8, 16\).*\(1, 16, 16\)"),
    ],
)
def test_wrong_images_are_named(image: Tensor, foreground: Tensor | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _always()(image, foreground)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": (0.5, 0.2)},
        {"size": (0.0, 0.2)},
        {"size": (0.1, 1.2)},
        {"min_weight": 0.0},
        {"shift_prob": -0.1},
        {"max_shift": 0.7},
        {"min_change": 0.1},
    ],
)
def test_wrong_arguments_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"(?i){next(iter(wrong))}"):
        RandSyntheticAnomaly(**wrong)
    with pytest.raises(ValueError, match=f"(?i){next(iter(wrong))}"):
        RandSyntheticAnomalyd("image", **wrong)


def test_one_key_only() -> None:
    with pytest.raises(ValueError, match="keys"):
        RandSyntheticAnomalyd(["image", "other"])


def test_half_and_twice_the_contrast_are_equally_likely() -> None:
    """Factors are drawn by their logarithm."""
    transform, image = _always(), torch.rand(1, 8, 8)
    contrasts = []
    for _ in range(600):
        transform.randomize(image)
        assert transform.anomaly is not None
        contrasts.append(transform.anomaly.contrast)
    logarithms = np.log(contrasts)
    assert logarithms.min() >= np.log(0.3) and logarithms.max() <= np.log(1.5)
    assert stats.kstest((logarithms - np.log(0.3)) / np.log(5), "uniform").pvalue > 1e-3
