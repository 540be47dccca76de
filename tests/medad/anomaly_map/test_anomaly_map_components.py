# SPDX-License-Identifier: Apache-2.0
import pickle

import numpy as np
import pytest
import torch
from medad.anomaly_map import RemoveSmallComponentsd, remove_small_components
from monai.data import MetaTensor
from monai.transforms import Orientation
from skimage import measure


@pytest.mark.parametrize("shape", [(30, 25), (14, 12, 10)])
@pytest.mark.parametrize("connectivity", [1, 2])
@pytest.mark.parametrize("min_size", [0, 1, 3, 8, 10_000])
def test_equals_region_properties(shape: tuple[int, ...], connectivity: int, min_size: int) -> None:
    mask = torch.rand(1, *shape) > 0.7
    labels = measure.label(mask[0].numpy(), connectivity=connectivity)
    large = [region.label for region in measure.regionprops(labels) if region.area >= min_size]
    result = remove_small_components(mask, len(shape), min_size, connectivity)
    assert result.dtype == torch.uint8
    assert np.array_equal(result[0].numpy() > 0, np.isin(labels, large))


def test_exactly_min_size_stays() -> None:
    mask = torch.zeros(1, 6, 6)
    mask[0, 0, :3] = 1
    assert remove_small_components(mask, 2, 3).sum() == 3
    assert remove_small_components(mask, 2, 4).sum() == 0
    assert remove_small_components(mask, 2, 2.1, voxel_size=0.7).sum() == 3  # 3 * 0.7 is 2.0999999999999996


def test_volume_of_a_2d_method_equals_a_loop_over_slices() -> None:
    mask = torch.rand(1, 14, 12, 8) > 0.7
    looped = torch.stack([remove_small_components(s, 2, 4, 2) for s in mask.unbind(-1)], dim=-1)
    assert torch.equal(remove_small_components(mask, 2, 4, 2), looped)
    assert not torch.equal(remove_small_components(mask, 3, 4, 2), looped)


@pytest.mark.parametrize("dims", [2, 3])
def test_physical_size(dims: int) -> None:
    spacing = (0.5, 0.4, 3.0)[:dims]
    affine = torch.diag(torch.tensor([*spacing, 1.0], dtype=torch.float64))
    mask = torch.zeros(1, *(8,) * dims, dtype=torch.uint8)
    mask.view(1, 8, -1)[0, 2:5, 0] = 1  # three voxels
    pred = MetaTensor(mask, affine=affine)
    size = 3 * float(np.prod(spacing))
    step = pickle.loads(pickle.dumps(RemoveSmallComponentsd(dims, size, physical=True)))
    result = step({"pred": pred, "case": "a"})
    assert result["pred"].sum() == 3 and result["case"] == "a"
    assert isinstance(result["pred"], MetaTensor) and torch.equal(result["pred"].affine, pred.affine)
    assert RemoveSmallComponentsd(dims, size * 1.01, physical=True)({"pred": pred})["pred"].sum() == 0
    assert pred.sum() == 3


def test_oblique_affine_has_the_same_voxel_size() -> None:
    turn = torch.tensor([[0.8, -0.6, 0, 5], [0.6, 0.8, 0, 1], [0, 0, 2, 0], [0, 0, 0, 1]], dtype=torch.float64)
    pred = MetaTensor(torch.ones(1, 2, 2, 1, dtype=torch.uint8), affine=turn)
    assert RemoveSmallComponentsd(3, 8.0, physical=True)({"pred": pred})["pred"].sum() == 4
    assert RemoveSmallComponentsd(3, 8.1, physical=True)({"pred": pred})["pred"].sum() == 0


def test_empty_and_full() -> None:
    assert remove_small_components(torch.zeros(1, 4, 4), 2, 1).sum() == 0
    assert remove_small_components(torch.ones(1, 4, 4), 2, 16).sum() == 16


def test_errors() -> None:
    with pytest.raises(ValueError, match="min_size"):
        RemoveSmallComponentsd(2, -1)
    for connectivity in (0, 3):
        with pytest.raises(ValueError, match="connectivity"):
            RemoveSmallComponentsd(2, 5, connectivity=connectivity)
    with pytest.raises(ValueError, match="spatial_dims"):
        RemoveSmallComponentsd(1, 5)
    with pytest.raises(ValueError, match="no affine"):
        RemoveSmallComponentsd(2, 5, physical=True)({"pred": torch.ones(1, 4, 4)})
    with pytest.raises(ValueError, match="voxel_size"):
        remove_small_components(torch.ones(1, 4, 4), 2, 5, voxel_size=0.0)
    with pytest.raises(KeyError, match="pred"):
        RemoveSmallComponentsd(2, 5)({"mask": torch.ones(1, 4, 4)})


@pytest.mark.parametrize("axes", ["LPS", "RAS", "SPL", "PSR"])
def test_slices_are_those_of_the_body_however_the_file_runs(axes: str) -> None:
    lps = torch.rand(1, 9, 8, 7, generator=torch.Generator().manual_seed(0)) > 0.6
    affine = torch.diag(torch.tensor([-1.0, -2.0, 3.0, 1.0], dtype=torch.float64))
    turn = Orientation(axcodes=axes, labels=None)
    in_file = turn(MetaTensor(lps.to(torch.uint8), affine=affine))
    for settings, size in (({}, 4.0), ({"physical": True}, 4 * 2.0)):
        step = RemoveSmallComponentsd(2, size, **settings)  # type: ignore[arg-type]
        kept = turn.inverse(step({"pred": in_file})["pred"])
        assert torch.equal(kept.as_tensor(), remove_small_components(lps, 2, 4))
        assert torch.equal(kept.affine, affine)
