# SPDX-License-Identifier: Apache-2.0
"""Films drawn here: a half disk at the chest wall, a label apart from it, a border line that touches it."""

import pytest
import torch
from medad.errors import InputError
from medad.transforms import BreastRegiond, ChestWallLeftd, breast_region
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd
from torch import Tensor


def _film(right: bool = False) -> tuple[Tensor, Tensor]:
    """A film ``(1, x, y)``, and where its breast is."""
    x, y = torch.meshgrid(torch.arange(80), torch.arange(100), indexing="ij")
    breast = x.square() + (y - 50).square() < 40**2
    film = 0.5 * breast.float()
    film[60:72, 4:14] = 1.0  # a label
    film[:, 9:11] = film[:, 9:11].clamp(min=0.8)  # a line that ends in the breast's corner
    breast = breast | torch.zeros_like(breast)
    found = film[None], breast[None]
    return tuple(each.flip(1) for each in found) if right else found


@pytest.mark.parametrize("right", [False, True])
def test_the_breast_without_label_and_border(right: bool) -> None:
    film, breast = _film(right)
    found = breast_region(film, opening=0.03)
    assert int((found ^ breast).sum()) < 0.02 * int(breast.sum())
    far = torch.zeros_like(breast)
    far[:, 45:] = True
    assert not bool((found & (far.flip(1) if right else far)).any())
    assert bool((breast_region(film, opening=0.0) & (film > 0.7)).any())  # the line is in it without an opening


def test_slices_of_one_breast_have_one_region() -> None:
    film, _ = _film()
    slices = torch.stack([film, torch.zeros_like(film), 0.5 * film], dim=-1)
    found = breast_region(slices, opening=0.03)
    assert found.shape == slices.shape
    assert all(torch.equal(found[..., index], breast_region(film, opening=0.03)) for index in range(3))


@pytest.mark.parametrize("right", [False, True])
def test_the_chest_wall_is_left_and_maps_come_back(right: bool) -> None:
    film, _ = _film(right)
    steps = Compose([BreastRegiond(opening=0.03), ChestWallLeftd(["image", "foreground"])])
    case = steps({"image": MetaTensor(film)})
    torch.testing.assert_close(case["image"].as_tensor(), _film()[0])
    assert int(case["foreground"][:, 0].sum()) > int(case["foreground"][:, -1].sum()) == 0
    case["anomaly_map"] = 2 * case["image"]
    back = Invertd(["anomaly_map", "foreground"], steps, orig_keys="image", nearest_interp=True)(case)
    torch.testing.assert_close(back["anomaly_map"].as_tensor(), 2 * film)
    assert torch.equal(back["foreground"].as_tensor() > 0, breast_region(film, opening=0.03))


def test_a_foreground_of_the_data_list_wins() -> None:
    given = torch.ones(1, 80, 100)
    assert BreastRegiond()({"image": _film()[0], "foreground": given})["foreground"] is given


def test_an_empty_film_is_refused() -> None:
    with pytest.raises(InputError, match=r"^mdb1: no breast found.*dark background.*Look at the film"):
        BreastRegiond()({"image": torch.full((1, 20, 20), 3.0), "case": "mdb1"})


@pytest.mark.parametrize("shape", [(4, 4), (1, 4, 4, 4, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="image must be"):
        breast_region(torch.rand(shape))
    with pytest.raises(ValueError, match="opening"):
        breast_region(torch.rand(1, 4, 4), opening=-1)
