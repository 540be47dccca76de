# SPDX-License-Identifier: Apache-2.0
"""Bounding boxes of the parts of a mask, so that costly work can be left out where there is nothing."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

_PLANES = 8  # thin enough to follow the shape of an object (a head fills half of one box), thick enough to be few


def boxes_of(inside: torch.Tensor) -> Iterator[tuple[slice, ...]]:
    """Cut a mask into slabs along its first spatial axis and bound the part in each of them.

    Args:
        inside: boolean mask ``(1, *spatial)``.

    Yields:
        Slices for ``(C, *spatial)``. The boxes do not overlap and cover the mask; an empty mask has none.
    """
    last_axes = range(2, inside.ndim)
    # where something is set, by plane of the first axis and position on another: (X, Y) and (X, Z)
    shadows = [inside.amax(dim=[0, *(a for a in last_axes if a != axis)]).cpu().numpy() for axis in last_axes]
    for first in range(0, inside.shape[1], _PLANES):
        slabs = [shadow[first : first + _PLANES] for shadow in shadows]
        if slabs[0].any():
            yield slice(None), _bounds(slabs[0].any(axis=1), first), *(_bounds(slab.any(axis=0)) for slab in slabs)


def _bounds(hit: npt.ArrayLike, offset: int = 0) -> slice:
    places = np.flatnonzero(hit)
    return slice(offset + int(places[0]), offset + int(places[-1]) + 1)
