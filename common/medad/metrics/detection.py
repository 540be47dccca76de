# SPDX-License-Identifier: Apache-2.0
"""Detections against lesions: best score per lesion, and scores of the false positives."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import check_within


class DetectionRecord(NamedTuple):
    """Detections of one image, held against its lesions.

    Attributes:
        lesion_scores: ``(lesions,)`` float64, the best score of the detections that hit it; minus infinity if none did.
        false_positive_scores: ``(n,)`` float64, the scores of the detections that hit nothing.
        subject_id: whose image it is.
    """

    lesion_scores: Tensor
    false_positive_scores: Tensor
    subject_id: str


def hits_near(points: Tensor, centers: Tensor, distance: float | Tensor) -> Tensor:
    """Say which points are close enough to which lesions: abs(point - center) <= distance.

    Args:
        points: ``(n, dims)`` detections, in voxels or, on a grid with unequal spacing, in mm.
        centers: ``(lesions, dims)``, such as the centroids of the lesions, in the same unit.
        distance: of all lesions, or ``(lesions,)``: with the radii of circles or balls a hit is a point inside.

    Returns:
        bool ``(n, lesions)`` on the CPU.

    Raises:
        ValueError: if the shapes do not fit or a distance is negative.
    """
    points, centers = _points(points, "points"), _points(centers, "centers")
    limit = torch.as_tensor(distance, dtype=torch.float64, device="cpu")
    if points.shape[1] != centers.shape[1]:
        raise ValueError(f"points have {points.shape[1]} coordinates, centers {centers.shape[1]}; expected the same.")
    if limit.ndim and limit.shape != centers.shape[:1]:
        raise ValueError(f"distance has shape {tuple(limit.shape)}; expected one number or ({len(centers)},).")
    if not bool((limit >= 0).all()):
        raise ValueError("distance holds a negative value or NaN; expected at least 0.")
    # not torch.cdist, whose matrix product would round a distance of exactly the limit to either side
    return (points[:, None] - centers).square().sum(dim=-1) <= limit.square()


def hits_in_components(points: Tensor, components: Tensor, slack: float = 0.0) -> Tensor:
    """Say which points lie in which lesions of a mask, or at most ``slack`` away from one of their voxels.

    A point is taken as the voxel that it lies in; distances run from voxel center to voxel center.

    Args:
        points: ``(n, dims)`` detections, in voxels; the center of the first voxel is 0.
        components: ``(*spatial)`` whole numbers, 0 background, 1 to n the lesions, see
            :func:`medad.morphology.label_components`.
        slack: largest distance, in voxels.

    Returns:
        bool ``(n, lesions)`` on the CPU.

    Raises:
        ValueError: if the shapes do not fit, a point is outside the grid, or ``slack`` is negative.
    """
    check_within("[0, inf)", slack=slack)
    points, labels = _points(points, "points"), components.detach().as_subclass(Tensor).cpu()
    if points.shape[1] != labels.ndim:
        raise ValueError(f"points have {points.shape[1]} coordinates, the mask {labels.ndim} axes; expected the same.")
    last = torch.tensor(labels.shape) - 1
    voxels = (points + 0.5).floor().long()
    if not bool(((voxels >= 0) & (voxels <= last)).all()):
        raise ValueError(f"A point lies outside the grid {tuple(labels.shape)}; expected voxel coordinates.")
    # drawn into the grid a neighbor only comes closer: it stays in the ball
    around = (voxels[:, None] + _ball(slack, labels.ndim)).clamp(min=0).minimum(last)
    found = labels[around.unbind(-1)].long()  # (n, voxels of the ball)
    hits = torch.zeros(len(points), int(labels.max()) + 1 if labels.numel() else 1, dtype=torch.bool)
    return hits.scatter_(1, found, True)[:, 1:]


def match_detections(hits: Tensor, scores: Tensor, subject_id: str) -> DetectionRecord:
    """Give each lesion its best hit and keep what hits nothing.

    A lesion counts once, and further hits of it are no false positives; a detection on two lesions finds both.

    Args:
        hits: bool ``(n, lesions)`` from :func:`hits_near` or :func:`hits_in_components`.
        scores: ``(n,)`` finite scores, higher is more suspicious.
        subject_id: whose image it is.

    Returns:
        The record of the image.

    Raises:
        ValueError: if the shapes do not fit or a score is not finite.
    """
    scores = scores.detach().as_subclass(Tensor).to("cpu", torch.float64)
    if hits.ndim != 2 or scores.shape != hits.shape[:1]:
        raise ValueError(f"hits {tuple(hits.shape)} and scores {tuple(scores.shape)}: expected (n, lesions) and (n,).")
    if not bool(scores.isfinite().all()):
        raise ValueError("The scores hold NaN or infinite values; expected finite scores.")
    missed = torch.full((1, hits.shape[1]), -torch.inf, dtype=torch.float64)
    best = torch.cat([missed, torch.where(hits, scores[:, None], -torch.inf)]).amax(dim=0)
    return DetectionRecord(best, scores[~hits.any(dim=1)], subject_id)


def _points(points: Tensor, name: str) -> Tensor:
    if points.ndim != 2:
        raise ValueError(f"{name} has shape {tuple(points.shape)}; expected (n, dims).")
    points = points.detach().as_subclass(Tensor).to("cpu", torch.float64)
    if not bool(points.isfinite().all()):
        raise ValueError(f"{name} holds NaN or infinite values; expected finite coordinates.")
    return points


def _ball(radius: float, dims: int) -> Tensor:
    """Whole-number offsets of at most a length: ``(n, dims)``."""
    axis = torch.arange(-int(radius), int(radius) + 1)
    offsets = torch.cartesian_prod(*[axis] * dims).reshape(-1, dims)
    return offsets[offsets.square().sum(dim=1) <= radius**2]
