# SPDX-License-Identifier: Apache-2.0
"""Lesion-wise detection: a lesion is a connected component of the truth (8- or 26-connected).

detected = |lesion and mask| >= fraction * |lesion| (and at least one voxel); a component of the mask that touches no
lesion is a false positive.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..checks import check_within
from ..morphology import label_components

DETECTION_FRACTION = 0.1
SIZE_EDGES = (10, 100, 1000)
"""Lesions of 1-9, 10-99, 100-999 and at least 1000 voxels."""


def lesion_detection(lesions: Tensor, pred: Tensor, fraction: float = DETECTION_FRACTION) -> tuple[Tensor, Tensor]:
    """Say for each lesion how large it is and whether the mask found it.

    Args:
        lesions: ``(*spatial)`` components from :func:`label_components`.
        pred: ``(*spatial)`` 0/1 mask.
        fraction: share of the lesion's voxels that must lie in the mask, in [0, 1]; one voxel is needed in any case.

    Returns:
        ``sizes`` int64 and ``detected`` bool, each ``(n_lesions,)``.

    Raises:
        ValueError: if ``fraction`` is outside [0, 1] or the shapes differ.
    """
    check_within("[0, 1]", fraction=fraction)
    if lesions.shape != pred.shape:
        raise ValueError(f"lesions has shape {tuple(lesions.shape)}, pred {tuple(pred.shape)}; expected equal shapes.")
    labels = lesions.reshape(-1)
    sizes = torch.bincount(labels)
    mask = pred.detach().as_subclass(Tensor).reshape(-1).to(labels.device) != 0
    covered = torch.bincount(labels[mask], minlength=len(sizes))
    detected = (covered >= fraction * sizes) & (covered > 0)
    return sizes[1:], detected[1:]


def false_positive_components(pred: Tensor, mask: Tensor) -> int:
    """Count the components of a predicted mask that touch no voxel of the truth.

    Args:
        pred: ``(*spatial)`` 0/1 predicted mask.
        mask: ``(*spatial)`` 0/1 truth.

    Returns:
        Number of false-positive components.
    """
    labels = label_components(pred)
    touched = torch.unique(labels[(mask.detach().as_subclass(Tensor) != 0).to(labels.device)])
    return int(labels.max()) - int((touched > 0).sum()) if labels.numel() else 0


def size_stratum(sizes: Tensor, edges: Sequence[int] = SIZE_EDGES) -> Tensor:
    """Return the stratum, 0 to ``len(edges)``, of each lesion size (voxels); an edge starts the next stratum."""
    return torch.bucketize(sizes, torch.tensor(edges, dtype=torch.int64), right=True)
