# SPDX-License-Identifier: Apache-2.0
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from medad.anomaly_map import FindCandidatesd, find_candidates
from monai.data import MetaTensor
from monai.transforms import Orientation
from skimage import measure


@pytest.mark.parametrize("shape", [(30, 25), (14, 12, 10)])
@pytest.mark.parametrize("connectivity", [1, 2])
@pytest.mark.parametrize(("low", "high"), [(0, None), (2, 6), (3, 3), (10_000, None)])
def test_equals_region_properties(shape: tuple[int, ...], connectivity: int, low: int, high: int | None) -> None:
    anomaly_map = torch.rand(1, *shape)
    labels = measure.label(anomaly_map[0].numpy() > 0.8, connectivity=connectivity)
    regions = [
        region
        for region in measure.regionprops(labels, anomaly_map[0].double().numpy())
        if low <= region.area <= (high or np.inf)
    ]
    regions.sort(key=lambda region: -region.mean_intensity)
    found = find_candidates(anomaly_map, len(shape), 0.8, low, high, connectivity)
    assert found.sizes.tolist() == [region.area for region in regions]
    np.testing.assert_allclose(found.centroids, np.array([r.centroid for r in regions]).reshape(-1, len(shape)))
    np.testing.assert_allclose(found.means, [region.mean_intensity for region in regions])
    np.testing.assert_allclose(found.maxima, [region.max_intensity for region in regions])
    assert (len(regions) > 1) == (low < 10_000)


def test_hand_made() -> None:
    """Two squares, the smaller one brighter; a voxel of exactly the threshold is not in."""
    anomaly_map = torch.zeros(1, 10, 10)
    anomaly_map[0, 1:4, 1:4] = 0.5
    anomaly_map[0, 2, 2] = 0.95
    anomaly_map[0, 6:8, 5:7] = 0.75
    anomaly_map[0, 9, 9] = 0.25
    found = find_candidates(anomaly_map, 2, 0.25)
    assert found.centroids.tolist() == [[6.5, 5.5], [2, 2]] and found.sizes.tolist() == [4, 9]
    torch.testing.assert_close(found.means, torch.tensor([0.75, 0.55], dtype=torch.float64))
    torch.testing.assert_close(found.maxima, torch.tensor([0.75, 0.95], dtype=torch.float64))
    assert find_candidates(anomaly_map, 2, 0.25, min_size=9).sizes.tolist() == [9]
    assert find_candidates(anomaly_map, 2, 0.25, max_size=8).sizes.tolist() == [4]
    assert find_candidates(anomaly_map, 2, -1.0).sizes.tolist() == [100]


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7])
def test_threshold_is_taken_in_the_precision_of_the_map(threshold: float) -> None:
    """0.1 as float32 is larger than 0.1 as float64."""
    anomaly_map = torch.full((1, 4, 4), threshold)
    assert len(find_candidates(anomaly_map, 2, threshold).sizes) == 0
    anomaly_map[0, 1, 1] = torch.nextafter(anomaly_map[0, 1, 1], torch.tensor(1.0))
    assert find_candidates(anomaly_map, 2, threshold).sizes.tolist() == [1]


def test_volume_of_a_2d_method_equals_a_loop_over_slices() -> None:
    anomaly_map = torch.rand(1, 14, 12, 8)
    found = find_candidates(anomaly_map, 2, 0.7, 2)
    looped = [
        (*centroid, float(index), mean)
        for index, plane in enumerate(anomaly_map.unbind(-1))
        for one in [find_candidates(plane, 2, 0.7, 2)]
        for centroid, mean in zip(one.centroids.tolist(), one.means.tolist(), strict=True)
    ]
    rows = torch.cat([found.centroids, found.means[:, None]], dim=1).tolist()
    assert sorted(map(tuple, rows)) == sorted(looped) and len(looped) > 8
    assert found.means.tolist() == sorted(found.means.tolist(), reverse=True)


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5)])
def test_nothing_above_the_threshold(shape: tuple[int, ...]) -> None:
    found = find_candidates(torch.zeros(1, *shape), len(shape), 0.0)
    assert found.centroids.shape == (0, len(shape))
    assert found.sizes.shape == found.means.shape == found.maxima.shape == (0,)


def test_transform() -> None:
    anomaly_map = MetaTensor(torch.rand(1, 12, 12))
    step = pickle.loads(pickle.dumps(FindCandidatesd(2, 0.6, 2, 20, 2)))
    case = {"anomaly_map": anomaly_map, "case": "a"}
    result = step(case)
    assert result["case"] == "a" and "candidates" not in case and result["anomaly_map"] is anomaly_map
    for found, expected in zip(result["candidates"], find_candidates(anomaly_map, 2, 0.6, 2, 20, 2), strict=True):
        assert torch.equal(found, expected) and len(found) and not isinstance(found, MetaTensor)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"spatial_dims": 1}, "spatial_dims"),
        ({"threshold": float("nan")}, "threshold"),
        ({"min_size": -1}, "min_size"),
        ({"min_size": 5, "max_size": 4}, "max_size"),
        ({"connectivity": 0}, "connectivity"),
        ({"connectivity": 3}, "connectivity"),
    ],
)
def test_bad_settings(arguments: dict[str, Any], name: str) -> None:
    settings = {"spatial_dims": 2, "threshold": 0.5} | arguments
    with pytest.raises(ValueError, match=name):
        FindCandidatesd(**settings)
    with pytest.raises(ValueError, match=name):
        find_candidates(torch.rand(1, 5, 5), **settings)


def test_bad_maps() -> None:
    with pytest.raises(ValueError, match="channels"):
        find_candidates(torch.rand(2, 5, 5), 2, 0.5)
    with pytest.raises(ValueError, match="spatial_dims"):
        find_candidates(torch.rand(1, 5, 5), 3, 0.5)
    with pytest.raises(KeyError, match="anomaly_map"):
        FindCandidatesd(2, 0.5)({"pred": torch.rand(1, 5, 5)})


@pytest.mark.parametrize("axes", ["LPS", "RAS", "SPL", "PSR"])
def test_slices_are_those_of_the_body_and_centroids_those_of_the_file(axes: str) -> None:
    lps = torch.rand(1, 9, 8, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    affine = torch.diag(torch.tensor([-1.0, -2.0, 3.0, 1.0], dtype=torch.float64))
    turned = Orientation(axcodes=axes, labels=None)(MetaTensor(lps, affine=affine))
    found = FindCandidatesd(2, 0.6, min_size=2)({"anomaly_map": turned})["candidates"]
    expected = find_candidates(lps, 2, 0.6, min_size=2)
    torch.testing.assert_close(found.means, expected.means)
    ones = torch.ones(len(found.means), 1, dtype=torch.float64)
    place = torch.cat([found.centroids, ones], dim=1) @ turned.affine.T
    torch.testing.assert_close(place, torch.cat([expected.centroids, ones], dim=1) @ affine.T)
