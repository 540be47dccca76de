# SPDX-License-Identifier: Apache-2.0
import copy
from pathlib import Path

import pytest
import torch
from medad.errors import InputError
from medad.networks import NormativeSpread, load_weights, place_network, spread_of
from torch import Tensor, nn
from torch.nn import functional as F

SIZES = [(2, (24, 32)), (3, (8, 12, 16))]


def _images(count: int, size: tuple[int, ...], seed: int = 0) -> Tensor:
    """Smooth images, each with its own shape."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 1, *[4] * len(size), generator=generator)
    return F.interpolate(coarse, size=size, mode={2: "bilinear", 3: "trilinear"}[len(size)])


def _spread(spatial_dims: int, size: tuple[int, ...], **settings: float) -> NormativeSpread:
    arguments = {"num_neighbors": 5, "feature_size": 4, **settings}
    return NormativeSpread(spatial_dims, 1, size, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(("spatial_dims", "size"), SIZES)
def test_usual_residuals_become_one_over_one_and_the_floor(spatial_dims: int, size: tuple[int, ...]) -> None:
    """In closed form: every normal image has the same map, 0.1 or, in one half, 0.4."""
    usual = torch.full((20, 1, *size), 0.1)
    usual[:, :, size[0] // 2 :] = 0.4
    spread = _spread(spatial_dims, size, sigma=0.1, mirror=False)
    spread.remember(_images(20, size), usual)
    images = _images(3, size, seed=1)
    expected = usual[:3] / (usual[:3] + 0.1 * 0.25)
    for times in (1.0, 3.0):
        torch.testing.assert_close(spread(images, times * usual[:3]), times * expected, atol=1e-3, rtol=1e-3)


def _by_definition(spread: NormativeSpread, image: Tensor, residual: Tensor) -> Tensor:
    """One image after the other, in float64, from the maps in the bank."""
    bank = torch.cat([spread.bank.double(), spread.bank.double().flip(2)])
    known = torch.cat([spread.features.double(), spread.features.double().flip(2)])
    smooth = spread.smooth(image[None] / spread.clip).double().clamp(0, 1)
    own = F.interpolate(smooth, size=[4] * spread.spatial_dims, mode="area")
    order = sorted(range(len(bank)), key=lambda number: float((known[number] - own[0]).norm()))
    square = torch.stack([bank[number] ** 2 for number in order[: spread.num_neighbors]]).mean(dim=0)
    return residual.double() / (square.sqrt() + spread.floor * spread.means.double().mean())


@pytest.mark.parametrize(("spatial_dims", "size"), SIZES)
def test_root_mean_square_of_the_most_similar_images(spatial_dims: int, size: tuple[int, ...]) -> None:
    spread = _spread(spatial_dims, size, clip=0.7)
    spread.remember(_images(12, size), 0.1 + torch.rand(12, 1, *size))
    images, residuals = _images(3, size, seed=1), torch.rand(3, 1, *size)
    divided = spread(images, residuals)
    for number in range(3):
        expected = _by_definition(spread, images[number], residuals[number])
        torch.testing.assert_close(divided[number].double(), expected, atol=1e-5, rtol=1e-5)
        alone = spread(images[number : number + 1], residuals[number : number + 1])
        torch.testing.assert_close(alone, divided[number : number + 1])


@pytest.mark.parametrize(("spatial_dims", "size"), SIZES)
def test_a_lesion_is_found_behind_a_rim_that_every_normal_image_has(spatial_dims: int, size: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    strength = 0.5 + torch.rand(40, *[1] * (spatial_dims + 1), generator=generator)
    residuals = 0.02 * torch.rand(40, 1, *size, generator=generator)
    residuals[:, :, :3] += strength
    inside = tuple(slice(n // 2 - 2, n // 2 + 2) for n in size)
    residuals[(slice(35, 40), slice(None), *inside)] += 0.3
    images = _images(40, size)
    spread = _spread(spatial_dims, size, mirror=False)
    spread.remember(images[:30], residuals[:30])
    scores = [maps[30:].flatten(1).amax(dim=1) for maps in (residuals, spread(images, residuals))]
    assert not float(scores[0][5:].min()) > float(scores[0][:5].max())
    assert float(scores[1][5:].min()) > float(scores[1][:5].max())


@pytest.mark.parametrize(("spatial_dims", "size"), SIZES)
def test_groups_keep_the_root_mean_square(spatial_dims: int, size: tuple[int, ...]) -> None:
    """All ten images, one by one or in two groups of five."""
    images, residuals = _images(10, size), 0.1 + torch.rand(10, 1, *size)
    divided = []
    for group_size in (1, 5):
        spread = _spread(spatial_dims, size, num_neighbors=10, mirror=False, group_size=group_size)
        spread.remember(images, residuals)
        spread.pool([f"s{number}" for number in range(10)])
        assert len(spread.bank) == len(spread.means) == 10 // group_size
        divided.append(spread(images, residuals))
    torch.testing.assert_close(divided[1], divided[0], atol=1e-3, rtol=1e-3)


def test_without_residuals_of_normal_images_maps_stay_as_they_are() -> None:
    spread, residuals = _spread(2, (24, 32)), torch.rand(2, 1, 24, 32)
    assert torch.equal(spread(_images(2, (24, 32)), residuals), residuals)
    spread.remember(_images(2, (24, 32)), torch.zeros(2, 1, 24, 32))
    assert bool(spread(_images(2, (24, 32)), residuals).isfinite().all())
    spread.forget()
    spread.remember(_images(2, (24, 32)), torch.full((2, 1, 24, 32), 1e6))
    assert bool(spread.bank.isfinite().all()) and spread.bank.dtype == torch.float16


def test_the_weights_of_a_network_bring_its_spread(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    network = place_network(nn.Conv2d(1, 1, 1), "cpu", spread=_spread(2, (24, 32)))
    names = set(network.state_dict())
    assert names == {
        "weight",
        "bias",
        *(f"normative_spread.{name}" for name in ("bank", "features", "means", "members")),
    }
    averaged = copy.deepcopy(network)
    torch.save(network.state_dict(), path)
    with pytest.raises(InputError, match=r"no residuals of normal images.*calibrate_spread\.json"):
        load_weights(averaged, path)
    spread = spread_of(network)
    assert spread is not None
    spread.remember(_images(5, (24, 32)), torch.rand(5, 1, 24, 32))
    torch.save(network.state_dict(), path)
    load_weights(averaged, path)
    other = spread_of(averaged)
    assert other is not None and other is not spread and torch.equal(other.bank, spread.bank)
    with pytest.raises(InputError, match="Unexpected key"):
        load_weights(nn.Conv2d(1, 1, 1), path)


def test_earlier_weights_have_no_spread_yet(tmp_path: Path) -> None:
    plain = nn.Conv2d(1, 1, 1)
    torch.save(plain.state_dict(), tmp_path / "model.pt")
    network = place_network(nn.Conv2d(1, 1, 1), "cpu", spread=_spread(2, (24, 32)))
    with pytest.raises(InputError, match="no residuals of normal images"):
        load_weights(network, tmp_path / "model.pt")
    load_weights(network, tmp_path / "model.pt", with_spread=False)
    assert torch.equal(network.get_parameter("weight"), plain.weight) and spread_of(plain) is None


def test_residuals_of_an_earlier_spread_can_be_left_out(tmp_path: Path) -> None:
    """As when the same weights get a spread of groups."""
    networks = [
        place_network(nn.Conv2d(1, 1, 1), "cpu", spread=_spread(2, (24, 32), group_size=size)) for size in (1, 5)
    ]
    spread = spread_of(networks[0])
    assert spread is not None
    spread.remember(_images(5, (24, 32)), torch.rand(5, 1, 24, 32))
    torch.save(networks[0].state_dict(), tmp_path / "model.pt")
    with pytest.raises(InputError, match="means of 1 subjects, not of 5"):
        load_weights(networks[1], tmp_path / "model.pt")
    load_weights(networks[1], tmp_path / "model.pt", with_spread=False)
    assert torch.equal(networks[1].get_parameter("weight"), networks[0].get_parameter("weight"))


def test_an_exported_network_is_refused() -> None:
    with pytest.raises(InputError, match="an exported network has no normative spread"):
        place_network(torch.jit.script(nn.Conv2d(1, 1, 1)), "cpu", spread=_spread(2, (24, 32)))


@pytest.mark.parametrize("argument", [{"num_neighbors": 0}, {"floor": 0.0}, {"clip": 0.0}])
def test_arguments_out_of_range(argument: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(argument))):
        _spread(2, (8, 8), **argument)
