# SPDX-License-Identifier: Apache-2.0
"""Hits of points on lesions, against brute force."""

import itertools
import math

import pytest
import torch
from medad.metrics import hits_in_components, hits_near, match_detections
from medad.morphology import label_components
from torch import Tensor


@pytest.mark.parametrize("dims", [2, 3])
def test_near_equals_a_loop(dims: int) -> None:
    points, centers = torch.rand(40, dims) * 20, torch.rand(7, dims) * 20
    radii = torch.rand(7) * 8
    for distance in (6.0, radii):
        hits = hits_near(points, centers, distance)
        limits = [6.0] * 7 if isinstance(distance, float) else radii.tolist()
        expected = [
            [math.dist(p, c) <= d for c, d in zip(centers.tolist(), limits, strict=True)] for p in points.tolist()
        ]
        assert hits.tolist() == expected
        assert 0 < int(hits.sum()) < hits.numel()


@pytest.mark.parametrize("far", [0.0, 5000.0])
def test_exactly_the_distance_is_a_hit(far: float) -> None:
    center = torch.tensor([[far, far]])
    points = center + torch.tensor([[3.0, 4.0], [3.0, 4.01], [0.0, -5.0]])
    assert hits_near(points, center, 5.0).flatten().tolist() == [True, False, True]


@pytest.mark.parametrize("shape", [(17, 14), (9, 8, 10)])
@pytest.mark.parametrize("slack", [0.0, 1.0, 2.5])
def test_in_components_equals_the_distance_to_every_voxel(shape: tuple[int, ...], slack: float) -> None:
    components = label_components(torch.rand(shape) < 0.06)
    lesions = int(components.max())
    points = torch.rand(60, len(shape)) * (torch.tensor(shape) - 0.01) - 0.5  # up to the edges of the outer voxels
    hits = hits_in_components(points, components, slack)
    assert hits.shape == (60, lesions) and lesions > 2
    for point, lesion in itertools.product(range(60), range(lesions)):
        voxel = [math.floor(x + 0.5) for x in points[point].tolist()]
        distances = [math.dist(voxel, other) for other in (components == lesion + 1).nonzero().tolist()]
        assert bool(hits[point, lesion]) == (min(distances) <= slack)
    assert 0 < int(hits.sum()) < hits.numel()


def test_point_inside_no_lesion_and_image_without_lesion() -> None:
    assert hits_in_components(torch.tensor([[1.0, 1.0]]), torch.zeros(4, 4, dtype=torch.int32)).shape == (1, 0)
    assert hits_in_components(torch.zeros(0, 2), label_components(torch.eye(4))).shape == (0, 1)
    assert hits_near(torch.zeros(0, 3), torch.zeros(2, 3), 1.0).shape == (0, 2)
    assert hits_near(torch.zeros(2, 3), torch.zeros(0, 3), 1.0).shape == (2, 0)


def test_best_hit_counts_and_further_hits_are_no_false_positives() -> None:
    hits = torch.tensor([[1, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]]).bool()
    scores = torch.tensor([0.3, 0.9, 0.8, 0.2, 0.1, 0.5])
    record = match_detections(hits, scores, "a")
    torch.testing.assert_close(record.lesion_scores, torch.tensor([0.9, 0.5, -torch.inf], dtype=torch.float64))
    torch.testing.assert_close(record.false_positive_scores, torch.tensor([0.8, 0.1], dtype=torch.float64))
    assert record.subject_id == "a"


def test_without_lesions_all_are_false_and_without_detections_all_are_missed() -> None:
    record = match_detections(torch.zeros(2, 0, dtype=torch.bool), torch.tensor([0.1, 0.2]), "a")
    assert record.lesion_scores.shape == (0,) and record.false_positive_scores.shape == (2,)
    record = match_detections(torch.zeros(0, 2, dtype=torch.bool), torch.zeros(0), "a")
    assert record.lesion_scores.tolist() == [-math.inf, -math.inf] and record.false_positive_scores.shape == (0,)


@pytest.mark.parametrize(
    ("points", "centers", "distance", "message"),
    [
        (torch.zeros(2), torch.zeros(1, 2), 1.0, "points has shape"),
        (torch.zeros(2, 2), torch.zeros(2), 1.0, "centers has shape"),
        (torch.zeros(2, 2), torch.zeros(1, 3), 1.0, "coordinates"),
        (torch.zeros(2, 2), torch.zeros(1, 2), torch.ones(2), "distance has shape"),
        (torch.zeros(2, 2), torch.zeros(1, 2), -1.0, "negative"),
        (torch.full((2, 2), torch.nan), torch.zeros(1, 2), 1.0, "finite"),
    ],
)
def test_bad_points(points: Tensor, centers: Tensor, distance: float | Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hits_near(points, centers, distance)


def test_other_bad_arguments() -> None:
    components = label_components(torch.eye(4))
    for slack in (-1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="slack"):
            hits_in_components(torch.zeros(1, 2), components, slack)
    with pytest.raises(ValueError, match="axes"):
        hits_in_components(torch.zeros(1, 3), components)
    for outside in (-0.6, 3.5):
        with pytest.raises(ValueError, match="outside the grid"):
            hits_in_components(torch.tensor([[1.0, outside]]), components)
    with pytest.raises(ValueError, match="expected"):
        match_detections(torch.zeros(2, 1, dtype=torch.bool), torch.zeros(3), "a")
    with pytest.raises(ValueError, match="finite"):
        match_detections(torch.zeros(1, 1, dtype=torch.bool), torch.tensor([torch.inf]), "a")
