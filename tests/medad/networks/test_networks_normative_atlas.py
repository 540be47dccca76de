# SPDX-License-Identifier: Apache-2.0
import copy

import pytest
import torch
from medad.morphology import relative_depth
from medad.networks import NormativeAtlas
from medad.networks.atlas import image_bank
from torch import Tensor
from torch.nn import functional as F

SIZES = [(2, (24, 32)), (3, (12, 16, 20))]


def _images(count: int, size: tuple[int, ...], channels: int = 1, seed: int = 0) -> Tensor:
    """Smooth images around 1, each with its own shape and brightness."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, channels, *[4] * len(size), generator=generator)
    mode = {2: "bilinear", 3: "trilinear"}[len(size)]
    return (
        0.5
        + F.interpolate(coarse, size=size, mode=mode)
        + 0.01 * torch.randn(count, channels, *size, generator=generator)
    )


def _atlas(
    spatial_dims: int, size: tuple[int, ...], count: int = 30, channels: int = 1, **settings: float
) -> NormativeAtlas:
    arguments = {"num_neighbors": 7, "num_bases": 10, "feature_size": 4, **settings}
    atlas = NormativeAtlas(spatial_dims, channels, size, **arguments)  # type: ignore[arg-type]
    atlas.forget()
    if count:
        images = _images(count, size, channels)
        atlas.remember(images, torch.ones(count, 1, *size))
    return atlas


def _by_definition(atlas: NormativeAtlas, image: Tensor) -> tuple[Tensor, Tensor]:
    """Median and spread of the most similar images, in float64, one after the other."""
    bank = atlas.bank.double()
    bank = torch.cat([bank, bank.flip(2)])
    x = atlas.smooth(image[None])[0].double()
    cells = [
        F.interpolate(each[None].clamp(0, 1), size=[4] * atlas.spatial_dims, mode="area").flatten() for each in bank
    ]
    own = F.interpolate(x[None].clamp(0, 1), size=[4] * atlas.spatial_dims, mode="area").flatten()
    order = sorted(range(len(bank)), key=lambda number: float((cells[number] - own).norm()))
    nearest = bank[order[: atlas.num_neighbors]]
    return nearest.median(dim=0).values, nearest.std(dim=0, correction=0) + atlas.floor


@pytest.mark.parametrize(("spatial_dims", "size"), SIZES)
@pytest.mark.parametrize("channels", [1, 2])
def test_median_and_spread_of_the_most_similar_images(spatial_dims: int, size: tuple[int, ...], channels: int) -> None:
    atlas = _atlas(spatial_dims, size, channels=channels, num_bases=0)
    images = _images(3, size, channels, seed=1)
    difference, expected = atlas(images).chunk(2, dim=1)
    for number, image in enumerate(images):
        median, spread = _by_definition(atlas, image)
        torch.testing.assert_close(expected[number].double(), median, atol=1e-5, rtol=0)
        z = (atlas.smooth(image[None])[0].double() - median) / spread
        torch.testing.assert_close(difference[number].double(), z, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize(("spatial_dims", "size"), SIZES)
def test_the_expected_image_follows_the_image_but_not_its_lesion(spatial_dims: int, size: tuple[int, ...]) -> None:
    fixed, adapted = _atlas(spatial_dims, size, num_bases=0), _atlas(spatial_dims, size, ridge=0.1)
    images = _images(4, size, seed=1)
    clean = [float((atlas(images)[:, 1:] - images).abs().mean()) for atlas in (fixed, adapted)]
    assert clean[1] < 0.95 * clean[0]
    center = tuple(slice(n // 2 - 2, n // 2 + 2) for n in size)
    with_lesion = images.clone()
    with_lesion[(slice(None), slice(None), *center)] += 2.0
    change = adapted(with_lesion)[:, 1:] - adapted(images)[:, 1:]
    assert float(change[(slice(None), slice(None), *center)].abs().mean()) < 0.3
    assert float(adapted(with_lesion)[(slice(None), slice(0, 1), *center)].mean()) > 5.0


@pytest.mark.parametrize(("spatial_dims", "size"), SIZES)
def test_a_known_image_and_its_mirror_image_are_as_expected(spatial_dims: int, size: tuple[int, ...]) -> None:
    atlas = _atlas(spatial_dims, size, num_neighbors=1, num_bases=0)
    images = _images(30, size)[:2]
    for each in (images, images.flip(2)):
        torch.testing.assert_close(atlas(each)[:, 1:], atlas.smooth(each), atol=1e-3, rtol=0)


def test_an_image_alone_and_in_a_batch_gives_the_same() -> None:
    atlas = _atlas(2, (24, 32), count=500)
    images = _images(32, (24, 32), seed=1)
    together = atlas(images)
    for number in range(32):
        torch.testing.assert_close(
            atlas(images[number : number + 1]), together[number : number + 1], atol=1e-4, rtol=1e-4
        )


def test_the_regression_leaves_out_what_is_not_deep() -> None:
    size = (24, 32)
    mask = torch.zeros(1, *size)
    mask[:, 4:20, 4:28] = 1
    depth = relative_depth(mask, 2)[None].expand(30, -1, -1, -1)
    atlas = NormativeAtlas(2, 1, size, num_neighbors=7, num_bases=10, feature_size=4)
    atlas.forget()
    atlas.remember(_images(30, size), depth)
    image = _images(1, size, seed=1)
    image[:, :, :6] = 1.5  # above tissue: what is brighter there does not change which images are similar
    outside = image.clone()
    outside[:, :, :1] = 3.0
    assert torch.equal(atlas.nearest(atlas.smooth(outside), 7), atlas.nearest(atlas.smooth(image), 7))
    torch.testing.assert_close(atlas(outside)[:, 1:, 8:16], atlas(image)[:, 1:, 8:16], atol=1e-3, rtol=0)


def test_weights_of_any_number_of_images_are_loaded_strictly(tmp_path: object) -> None:
    atlas = _atlas(2, (24, 32))
    state = copy.deepcopy(atlas.state_dict())
    assert state["bank"].dtype == state["depth"].dtype == torch.float16 and len(state["bank"]) == 30
    other = NormativeAtlas(2, 1, (24, 32), num_neighbors=7, num_bases=10, feature_size=4)
    other.load_state_dict(state, strict=True)
    images = _images(2, (24, 32), seed=1)
    assert torch.equal(other(images), atlas(images))
    with pytest.raises(RuntimeError, match="size mismatch for bank"):
        NormativeAtlas(2, 1, (24, 24)).load_state_dict(state)


def test_remembering_tells_how_new_an_image_is() -> None:
    atlas = _atlas(2, (24, 32), count=0)
    images, depth = _images(3, (24, 32)), torch.ones(3, 1, 24, 32)
    first = atlas.remember(images, depth)
    assert bool((first > 1.0).all())  # against a black image
    assert float(atlas.remember(images.flip(2), depth).max()) < 1e-3
    assert len(atlas.bank) == 6
    atlas.forget()
    assert len(atlas.bank) == len(atlas.features) == 0


def test_fewer_images_than_neighbors_and_an_atlas_that_knows_none_yet() -> None:
    atlas = _atlas(2, (24, 32), count=2)
    assert bool(atlas(_images(2, (24, 32), seed=1)).isfinite().all())
    fresh = NormativeAtlas(2, 1, (24, 32))  # black images
    difference, expected = fresh(torch.ones(1, 1, 24, 32)).chunk(2, dim=1)
    torch.testing.assert_close(difference, torch.full_like(difference, 20.0))
    assert not bool(expected.any())


@pytest.mark.parametrize(("spatial_dims", "size"), SIZES)
def test_the_exported_network_is_the_same(spatial_dims: int, size: tuple[int, ...]) -> None:
    atlas = _atlas(spatial_dims, size).eval()
    images = _images(3, size, seed=1)
    torch.testing.assert_close(torch.jit.script(atlas)(images), atlas(images), atol=1e-4, rtol=1e-4)


def test_mirror_images_can_be_left_out() -> None:
    atlas = _atlas(2, (24, 32), num_neighbors=1, num_bases=0, mirror=False)
    images = _images(30, (24, 32))[:2]
    torch.testing.assert_close(atlas(images)[:, 1:], atlas.smooth(images), atol=1e-3, rtol=0)
    assert float((atlas(images.flip(2))[:, 1:] - atlas.smooth(images.flip(2))).abs().max()) > 0.05


def test_depth_is_that_of_the_similar_images_and_mirrored_with_them() -> None:
    size = (24, 32)
    depth = torch.zeros(1, 1, *size)
    depth[:, :, :12] = 1.0  # the left half counts
    images = _images(1, size)
    atlas = NormativeAtlas(2, 1, size, num_neighbors=1, num_bases=1, feature_size=4, ridge=1e-3)
    atlas.forget()
    atlas.remember(images, depth)
    for turned in (False, True):
        image = images.flip(2) if turned else images
        places = atlas.nearest(atlas.smooth(image), 1)
        found = image_bank.turned(atlas.depth, places)[0, 0, 0]
        assert bool(found[0 if not turned else -1].all()) and not bool(found[-1 if not turned else 0].any())


def test_the_banks_of_several_processes_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    atlas, other = _atlas(2, (24, 32), count=3), _atlas(2, (24, 32), count=5)
    parts = iter([*other.entries().values(), list("cdefg")])
    monkeypatch.setattr("ignite.distributed.get_world_size", lambda: 2)
    monkeypatch.setattr("ignite.distributed.all_gather", lambda own: [own, [next(parts)]])
    assert atlas.gather(list("aab")) == list("aabcdefg")
    whole = _atlas(2, (24, 32), count=3)
    whole.remember(_images(5, (24, 32)), torch.ones(5, 1, 24, 32))
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(atlas.state_dict()[name], value)


@pytest.mark.parametrize(
    "argument",
    [{"spatial_dims": 1}, {"num_neighbors": 0}, {"num_bases": -1}, {"feature_size": 0}, {"floor": 0.0}, {"ridge": 0.0}],
)
def test_arguments_out_of_range(argument: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(argument))):
        NormativeAtlas(**{"spatial_dims": 2, "in_channels": 1, "image_size": (8, 8), **argument})  # type: ignore[arg-type]


@pytest.mark.parametrize(("spatial_dims", "size"), SIZES)
def test_means_and_deviations_of_groups_give_those_of_their_images(spatial_dims: int, size: tuple[int, ...]) -> None:
    """Of all groups together: mean and variance split into those within and those between groups."""
    images, subjects = _images(20, size), [f"s{number}" for number in range(20)]
    atlas = _atlas(spatial_dims, size, 0, group_size=5, num_neighbors=20, num_bases=0, mirror=False)
    atlas.remember(images, torch.ones(20, 1, *size))
    groups = atlas.pool(subjects)
    assert len(groups) == 4
    smooth = atlas.smooth(images).double()
    means = torch.stack([smooth[group].mean(dim=0) for group in groups])
    expected, spread = atlas.expect(atlas.smooth(images[:2]))
    torch.testing.assert_close(expected[0].double(), means.median(dim=0).values, atol=1e-3, rtol=0)
    torch.testing.assert_close(spread[0].double() - atlas.floor, smooth.std(dim=0, correction=0), atol=1e-3, rtol=0)
    again = _atlas(spatial_dims, size, 0, group_size=5, num_neighbors=20, num_bases=0, mirror=False)
    again.load_state_dict(atlas.state_dict())
    torch.testing.assert_close(again(images), atlas(images))


def test_torchscript_of_means_gives_the_same() -> None:
    atlas = _atlas(2, (24, 32), group_size=5)
    atlas.pool([f"s{number}" for number in range(30)])
    images = _images(2, (24, 32), seed=1)
    torch.testing.assert_close(torch.jit.script(atlas)(images), atlas(images))


def test_what_only_one_image_shows_is_faint_in_means_of_five() -> None:
    """How much of what only this image shows, beyond what similar ones share, the best guess from the bank has.

    The guess may be any image of the bank, and any sum of them: whoever knows the image, and looks for it, can choose.
    """
    size, count = (64, 64), 120
    # each subject has a shape of its own that others share in part, and marks of its own, as folds of a brain are
    shared = _images(12, size)[torch.arange(count) % 12]
    own = 0.2 * torch.randn(count, 1, 32, 32, generator=torch.Generator().manual_seed(2)).repeat_interleave(2, 2)
    images = shared + own.repeat_interleave(2, 3)
    similarity = {}
    for group_size in (1, 5):
        atlas = _atlas(2, size, 0, group_size=group_size, mirror=False)
        atlas.remember(images, torch.ones(count, 1, *size))
        details = (atlas.smooth(images) - atlas.smooth(shared)).flatten(1)
        atlas.pool([f"s{number}" for number in range(count)])
        guesses = atlas.bank.float().flatten(1)
        weights = torch.linalg.lstsq(guesses.T, atlas.smooth(images).flatten(1).T).solution
        fitted = (weights.T @ guesses) - atlas.smooth(shared).flatten(1)
        one = guesses[:, None] - atlas.smooth(shared).flatten(1)
        similarity[group_size] = (
            float(torch.cosine_similarity(one, details, dim=2).amax(dim=0).mean()),
            float(torch.cosine_similarity(fitted, details, dim=1).mean()),
        )
    assert min(similarity[1]) > 0.99
    assert max(similarity[5]) < 0.6
