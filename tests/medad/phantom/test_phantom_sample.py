# SPDX-License-Identifier: Apache-2.0
"""The phantom's images: deterministic, anatomically ordered, frozen, and not solved by trivial scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from medad.phantom import LesionKind, abnormal_phantom, healthy_phantom
from medad.phantom.anatomy import draw_head
from medad.phantom.fields import normalized_axes
from monai.networks.nets import BasicUNet
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, label
from sklearn.metrics import average_precision_score, roc_auc_score

SIZES = [(2, (64, 64)), (2, (48, 72)), (3, (32, 32, 32)), (3, (16, 24, 20))]
KINDS = [kind.value for kind in LesionKind]


@pytest.mark.parametrize(("dims", "size"), SIZES)
def test_healthy_image(dims: int, size: tuple[int, ...]) -> None:
    image = healthy_phantom(3, 5, dims, size)
    assert image.shape == size
    assert image.dtype == np.float32
    assert np.isfinite(image).all()
    assert image.min() == 0
    assert 0.4 < image.max() < 2.0
    inside = image > 0
    assert 0.1 < inside.mean() < 0.7
    assert label(inside)[1] == 1  # one head, nothing around it
    assert not any(np.take(inside, [0, -1], axis=axis).any() for axis in range(dims))


@pytest.mark.parametrize(("dims", "size"), SIZES)
def test_a_subject_is_its_seed_and_index(dims: int, size: tuple[int, ...]) -> None:
    first = abnormal_phantom(3, 5, dims, size)
    healthy_phantom(3, 4, dims, size)  # another subject in between
    again = abnormal_phantom(3, 5, dims, size)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert first[2] == again[2]
    for seed, index in ((4, 5), (3, 6), (5, 3)):
        assert not np.array_equal(first[0], abnormal_phantom(seed, index, dims, size)[0])


def test_global_random_state_is_neither_used_nor_changed() -> None:
    np.random.seed(0)  # noqa: NPY002 - the legacy global state is what is tested
    first, state = abnormal_phantom(1, 2, 2, (32, 32))[0], np.random.get_state()[1]  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    np.testing.assert_array_equal(first, abnormal_phantom(1, 2, 2, (32, 32))[0])


@pytest.mark.parametrize("dims", [2, 3])
def test_a_finer_grid_shows_the_same_head(dims: int) -> None:
    coarse, fine = (draw_head(np.random.default_rng(2), normalized_axes((size,) * dims)).intensity for size in (32, 64))
    for axis in range(dims):
        pairs = np.moveaxis(fine, axis, 0)
        fine = np.moveaxis((pairs[::2] + pairs[1::2]) / 2, 0, axis)
    assert np.corrcoef(coarse.ravel(), fine.ravel())[0, 1] > 0.97


def test_anatomy_is_ordered_like_a_head() -> None:
    heads = [draw_head(np.random.default_rng(seed), normalized_axes((128, 128))) for seed in range(8)]
    seen = 0
    for head in heads:
        x, y, z = head.coordinates
        radius = np.sqrt(x * x + y * y + z * z)
        scalp = head.intensity[(radius > 0.9) & (radius < 0.96)].max()
        skull = np.median(head.intensity[np.abs(radius - 0.885) < 0.008])
        white = np.median(head.intensity[(radius < 0.45) & (head.ventricles.level(x, y, z) < -0.05)])
        ventricle = head.intensity[head.ventricles.level(x, y, z) > 0.025]
        seen += ventricle.size > 10
        assert scalp > white > skull
        assert ventricle.size == 0 or np.median(ventricle) < 0.5 * white
        assert np.all(head.intensity[~head.inside] == 0)
    assert seen >= 6


def test_subjects_differ_in_anatomy() -> None:
    heads = [draw_head(np.random.default_rng(seed), normalized_axes((64, 64))) for seed in range(30)]
    area = np.array([head.inside.sum() for head in heads])
    ventricles = np.array([head.ventricles.level(*head.coordinates).clip(0).astype(bool).sum() for head in heads])
    assert area.std() / area.mean() > 0.02
    assert ventricles.max() > 2 * ventricles.min()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("dims", "size"), [(2, (64, 64)), (3, (32, 32, 32))])
def test_lesion_changes_its_mask_and_little_else(kind: str, dims: int, size: tuple[int, ...]) -> None:
    half = min(size) / 2
    change_inside, share = [], []
    for index in range(8):
        twin = healthy_phantom(0, index, dims, size)
        image, mask, name = abnormal_phantom(0, index, dims, size, kind)
        assert name == kind
        assert mask.shape == size
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 1}
        change = (image - twin) / np.median(twin[twin > 0])
        center = np.argwhere(mask).mean(0).reshape(-1, *[1] * dims)
        distance = np.linalg.norm(np.indices(size) - center, axis=0) / half
        assert distance[mask == 1].max() < (0.5 if dims == 2 else 0.7)
        if kind != "mass_effect":
            assert np.all(change[distance > (0.5 if dims == 2 else 0.7)] == 0)
        outer = (twin > 0) & ~binary_erosion(twin > 0, iterations=4 - dims)
        np.testing.assert_allclose(change[outer], 0, atol=1e-5)  # nothing moves the scalp
        change_inside.append(change[mask == 1])
        share.append(mask.mean())
    means = np.array([values.mean() for values in change_inside])
    if kind == "hyperintense":
        assert (means > 0.1).all()
    elif kind == "hypointense":
        assert (means < -0.1).all()
    elif kind == "texture":
        assert np.abs(means).max() < 0.15
        assert min(values.std() for values in change_inside) > 0.1
    else:
        assert means.min() < 0 < means.max()  # masses are darker or brighter
    assert 0.001 < np.mean(share) < 0.06


@pytest.mark.parametrize(("dims", "size"), [(2, (16, 16)), (3, (16, 16, 16))])
def test_even_the_smallest_image_shows_its_lesion(dims: int, size: tuple[int, ...]) -> None:
    assert min(abnormal_phantom(9, index, dims, size)[1].sum() for index in range(40)) >= 1


def test_kinds_are_drawn_when_not_given() -> None:
    assert {abnormal_phantom(0, index, 2, (16, 16))[2] for index in range(24)} == set(KINDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0, 4, (32, 32)), "spatial_dims=4"),
        ((0, 0, 2, (32, 32, 32)), "image_size="),
        ((0, 0, 3, (32, 32)), "image_size="),
        ((0, 0, 2, (32, 8)), "image_size="),
        ((-1, 0, 2, (32, 32)), "seed=-1"),
        ((0, -2, 2, (32, 32)), "index=-2"),
    ],
)
def test_bad_arguments(arguments: tuple[int, int, int, tuple[int, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        healthy_phantom(*arguments)


def test_unknown_kind() -> None:
    with pytest.raises(ValueError, match="kind is 'tumor'"):
        abnormal_phantom(0, 0, 2, (32, 32), "tumor")


class TestNotTrivial:
    """What needs no learning must not find the lesions: the benchmark would measure nothing."""

    count = 60

    @pytest.fixture(scope="class")
    def images(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
        size = (64, 64)
        training = np.stack([healthy_phantom(0, i, 2, size) for i in range(self.count)])
        normal = [healthy_phantom(0, 1000 + i, 2, size) for i in range(self.count)]
        drawn = [abnormal_phantom(0, 2000 + i, 2, size, KINDS[i % 4]) for i in range(self.count)]
        masks = np.stack([np.zeros_like(drawn[0][1])] * self.count + [mask for _, mask, _ in drawn])
        return training, np.stack(normal + [image for image, _, _ in drawn]), masks

    @pytest.fixture(scope="class", params=["raw", "normalized"])
    def scored(
        self, request: pytest.FixtureRequest, images: tuple[NDArray[np.float32], ...]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        training, test, masks = images
        if request.param == "normalized":
            training, test = (np.stack([x / np.percentile(x[x > 0], 99) for x in group]) for group in (training, test))
        return training, test, masks

    def auroc(self, maps: NDArray[np.float32], top: float = 1.0) -> float:
        ranked = np.sort(maps.reshape(len(maps), -1), axis=1)[:, ::-1]
        score = ranked[:, : int(top * ranked.shape[1])].mean(1)
        return float(roc_auc_score(np.repeat([0, 1], self.count), score))

    def test_pixel_intensity(self, scored: tuple[NDArray[np.float32], ...]) -> None:
        _, test, masks = scored
        assert average_precision_score(masks.ravel(), test.ravel()) < 0.3
        assert average_precision_score(masks.ravel(), -test.ravel()) < 0.3

    def test_mean_intensity(self, scored: tuple[NDArray[np.float32], ...]) -> None:
        assert abs(self.auroc(scored[1]) - 0.5) <= 0.2

    def test_difference_from_the_mean_of_the_normals(self, scored: tuple[NDArray[np.float32], ...]) -> None:
        training, test, _ = scored
        difference = np.abs(test - training.mean(0))
        assert self.auroc(difference) <= 0.7
        assert self.auroc(difference, top=0.05) <= 0.7

    def test_residual_of_an_untrained_network(self, scored: tuple[NDArray[np.float32], ...]) -> None:
        _, test, _ = scored
        network = BasicUNet(spatial_dims=2, features=(8, 8, 16, 16, 16, 8)).eval()
        with torch.no_grad():
            output = network(torch.from_numpy(test)[:, None])[:, 0].numpy()
        residual = np.abs(test - output)
        assert self.auroc(residual) <= 0.7
        assert self.auroc(residual, top=0.05) <= 0.7
