# SPDX-License-Identifier: Apache-2.0
"""Median filter: the median of the cube around every voxel, by merging sorted neighbors axis by axis.

Sort the ``k`` neighbors along the first axis; merge ``k`` such lists along the second axis into sorted lists of
``k^2``; merge ``k`` of those along the third and keep the middle one. A list serves all the windows that contain it.
Merging is a fixed network of ``min`` and ``max`` over whole stretches of the map, the same on every device.

References:
    1. K. E. Batcher, Sorting networks and their applications, AFIPS 1968, doi:10.1145/1468075.1468121.
    2. D. E. Knuth, The Art of Computer Programming 3, 2nd ed. 1998, section 5.3.4 (merging any two lengths).
"""

import functools
from dataclasses import dataclass

import torch
from torch import nn

from .boxes import boxes_of

# numbers held at a time: what fits a CPU's cache, or keeps a GPU busy
_WORKING_VALUES = {"cpu": 1 << 22, "cuda": 1 << 27}
# torch splits operations of 32768 numbers and more among threads. With a thousand short ones in a row these mostly wait
# for each other, and where another program takes a core, a hundred times longer
_LONGEST_ON_CPU = 30_000


@dataclass(frozen=True)
class _Step:
    """``wires[out] = min or max of wires[left], wires[right]``; then the wires in ``done`` are needed no more."""

    largest: bool
    left: int
    right: int
    out: int
    done: tuple[int, ...]


def cube_median(
    x: torch.Tensor, kernel_size: int, spatial_dims: int, inside: torch.Tensor | None = None
) -> torch.Tensor:
    """Take the median over a cube around every voxel; the border is replicated.

    Equal to ``scipy.ndimage.median_filter(mode="nearest")`` bit for bit, in bounded memory.

    Args:
        x: float tensor ``(C, *spatial)``; only the first ``spatial_dims`` spatial axes are filtered.
        kernel_size: edge of the cube in voxels, odd.
        spatial_dims: 2 or 3.
        inside: boolean mask ``(1, *spatial)``; the other voxels keep their value, which saves the work on them.

    Returns:
        Tensor of the shape of ``x``.
    """
    if kernel_size == 1 or x.numel() == 0:
        return x.clone()
    padded = nn.functional.pad(x[None], _padding(x.ndim, spatial_dims, kernel_size // 2), mode="replicate")[0]
    if inside is None:
        return _valid_median(padded, kernel_size, spatial_dims)
    result = x.clone()
    for box in boxes_of(inside):
        widened = [slice(s.start, s.stop + kernel_size - 1) for s in box[1 : 1 + spatial_dims]]
        around = (slice(None), *widened, *box[1 + spatial_dims :])
        medians = _valid_median(padded[around], kernel_size, spatial_dims)
        result[box] = torch.where(inside[box], medians, x[box])
    return result


def _valid_median(x: torch.Tensor, kernel_size: int, spatial_dims: int) -> torch.Tensor:
    """Take the medians of all cubes that lie within ``x``: ``kernel_size - 1`` fewer along each filtered axis."""
    x = x.contiguous()
    # a neighbor is a shift of the flattened map; positions where a shift wraps around are cropped at the end
    strides = [x.stride(axis) for axis in range(1, 1 + spatial_dims)]
    reach = (kernel_size - 1) * sum(strides)
    flat = x.reshape(-1)
    medians = torch.empty_like(flat)
    step = max(4096, _WORKING_VALUES.get(x.device.type, 1 << 22) // kernel_size**spatial_dims)
    if x.device.type == "cpu":
        step = min(step, _LONGEST_ON_CPU)
    for start in range(0, flat.numel() - reach, step):
        stop = min(start + step, flat.numel() - reach)
        medians[start:stop] = _medians(flat[start : stop + reach], kernel_size, strides)
    valid = (slice(None), *(slice(0, n - kernel_size + 1) for n in x.shape[1 : 1 + spatial_dims]))
    return medians.reshape(x.shape)[valid].contiguous()


def _medians(values: torch.Tensor, kernel_size: int, strides: list[int]) -> torch.Tensor:
    lists = [values]
    for number, stride in enumerate(strides):
        length = lists[0].numel() - (kernel_size - 1) * stride
        wires = [x[shift * stride :][:length] for shift in range(kernel_size) for x in lists]
        lists = _run(wires, *_network(kernel_size, len(lists), number == len(strides) - 1))
    return lists[0]


def _run(inputs: list[torch.Tensor], steps: list[_Step], outputs: list[int]) -> list[torch.Tensor]:
    wires = dict(enumerate(inputs))
    spare: list[torch.Tensor] = []
    for step in steps:
        buffer = spare.pop() if spare else torch.empty_like(inputs[0])
        choose = torch.maximum if step.largest else torch.minimum
        wires[step.out] = choose(wires[step.left], wires[step.right], out=buffer)
        spare += [wires.pop(wire) for wire in step.done if wire >= len(inputs)]
    return [wires[wire] for wire in outputs]


@functools.lru_cache(maxsize=32)
def _network(lists: int, length: int, median_only: bool) -> tuple[list[_Step], list[int]]:
    """Build the network that merges sorted lists, without the steps that the wanted outputs do not need."""
    pending = [list(range(i * length, (i + 1) * length)) for i in range(lists)]
    steps: list[tuple[bool, int, int, int]] = []
    while len(pending) > 1:
        pending.sort(key=len)
        pending.append(_merge(pending.pop(0), pending.pop(0), steps, lists * length))
    outputs = [pending[0][lists * length // 2]] if median_only else pending[0]
    kept: list[_Step] = []
    needed = set(outputs)
    for largest, left, right, out in reversed(steps):
        if out in needed:
            kept.append(_Step(largest, left, right, out, tuple({left, right} - needed)))
            needed |= {left, right}
    return kept[::-1], outputs


def _merge(a: list[int], b: list[int], steps: list[tuple[bool, int, int, int]], inputs: int) -> list[int]:
    """Merge two sorted lists of wires, appending the steps: merge the even and the odd places, then mend neighbors."""
    if not a or not b:
        return a or b
    if len(a) == len(b) == 1:
        return _compare(a[0], b[0], steps, inputs)
    even = _merge(a[::2], b[::2], steps, inputs)
    odd = _merge(a[1::2], b[1::2], steps, inputs)
    merged = even[:1]
    for left, right in zip(odd, even[1:], strict=False):
        merged += _compare(left, right, steps, inputs)
    rest = min(len(odd), len(even) - 1)
    return merged + odd[rest:] + even[1 + rest :]


def _compare(left: int, right: int, steps: list[tuple[bool, int, int, int]], inputs: int) -> list[int]:
    low = inputs + len(steps)
    steps += [(False, left, right, low), (True, left, right, low + 1)]
    return [low, low + 1]


def _padding(ndim: int, spatial_dims: int, radius: int) -> list[int]:
    """Pad the first ``spatial_dims`` spatial axes of ``(1, C, *spatial)``; ``pad`` counts from the last axis."""
    pad: list[int] = []
    for axis in range(ndim - 1, 0, -1):
        pad += [radius, radius] if axis <= spatial_dims else [0, 0]
    return pad
