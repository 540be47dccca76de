# SPDX-License-Identifier: Apache-2.0
"""Benchmark of post-processing: median, erosion, threshold and components of one map, against SciPy.

Against the SciPy calls that a user would write: ``median_filter``, ``binary_erosion``, ``label`` and ``bincount``. The
map is smooth noise and five lesions in an ellipsoid that fills about a third of the volume; the threshold leaves
thousands of components.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor

from ..anomaly_map import MaskForegroundd, MedianSmoothMapd, RemoveSmallComponentsd
from ..calibration import StoredCalibration, Thresholdd
from ..keys import Keys
from .timing import Stopwatch, interleaved, machine

BRATS_SHAPE = (240, 240, 155)
STEPS = ("median", "erosion", "threshold", "components")
_SEMI_AXES = (0.8, 0.95, 0.9)
_NOISE_SIGMA = 1.2
_KERNEL_SIZE, _EROSION, _MIN_SIZE, _CONNECTIVITY = 5, 6, 20, 3
_THRESHOLD = 1.03  # standard deviations of the noise


@dataclass(frozen=True)
class Example:
    """A map ``(1, *spatial)`` and its foreground."""

    anomaly_map: Tensor
    foreground: Tensor


@dataclass(frozen=True)
class Result:
    """What comes out: the map, 0 outside of the eroded foreground, that foreground, the mask, and seconds per step."""

    anomaly_map: npt.NDArray[np.float32]
    inside: npt.NDArray[np.bool_]
    mask: npt.NDArray[np.bool_]
    seconds: dict[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--shape", type=int, nargs=3, default=list(BRATS_SHAPE), help="size of the map")
    parser.add_argument("--threads", type=int, nargs="+", help="threads of torch; by default all, then 1")
    parser.add_argument("--repeats", type=int, default=5, help="measured pairs of calls; medians are written")
    parser.add_argument("--seed", type=int, default=0, help="seed of the map")


def run(args: argparse.Namespace) -> list[dict[str, object]]:
    """Measure both implementations in turn and return one row each for every number of threads.

    Args:
        args: options of :func:`add_arguments`.

    Returns:
        Rows of the table.
    """
    example = make_example(tuple(args.shape), args.seed)
    chains: dict[str, Callable[[Example], Result]] = {"medad": ours, "SciPy": theirs}
    rows: list[dict[str, object]] = []
    for threads in args.threads or sorted({torch.get_num_threads(), 1}, reverse=True):
        with _torch_threads(threads):
            results = interleaved({name: partial(chain, example) for name, chain in chains.items()}, args.repeats)
            seconds = {name: _median_seconds([result.seconds for result in each]) for name, each in results.items()}
            reference = results["SciPy"][0]
            for name, each in results.items():
                rows.append(
                    {
                        "benchmark": "postprocessing",
                        "implementation": name,
                        "voxels": example.anomaly_map.numel(),
                        "foreground": round(float(example.foreground.float().mean()), 3),
                        "components": _count(reference.anomaly_map > _THRESHOLD),
                        **{f"{step}_s": round(value, 4) for step, value in seconds[name].items()},
                        "speedup": round(seconds["SciPy"]["total"] / seconds[name]["total"], 1),
                        "map_equal": np.array_equal(each[0].anomaly_map, reference.anomaly_map),
                        "foreground_equal": np.array_equal(each[0].inside, reference.inside),
                        "mask_equal": np.array_equal(each[0].mask, reference.mask),
                        **machine(),
                    }
                )
    return rows


def make_example(shape: tuple[int, ...], seed: int) -> Example:
    """Draw the map: smooth noise and five balls inside an ellipsoid."""
    generator = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(-1, 1, size, dtype=np.float32) for size in shape), indexing="ij", sparse=True)
    foreground = _ball(axes, (0.0, 0.0, 0.0), _SEMI_AXES)
    noise = ndimage.gaussian_filter(generator.standard_normal(shape, dtype=np.float32), _NOISE_SIGMA)
    values = np.abs(noise / noise.std())
    for center in generator.uniform(-0.4, 0.4, (5, 3)):
        values[_ball(axes, center, (0.1, 0.1, 0.1))] += 2 * _THRESHOLD
    return Example(torch.from_numpy(values)[None], torch.from_numpy(foreground)[None])


def ours(example: Example) -> Result:
    """Run the transforms of a bundle."""
    steps = (
        MedianSmoothMapd(3, _KERNEL_SIZE, foreground_key=Keys.FOREGROUND),
        MaskForegroundd(3, _EROSION),
        Thresholdd(StoredCalibration(None, threshold=_THRESHOLD), foreground_key=Keys.FOREGROUND),
        RemoveSmallComponentsd(3, _MIN_SIZE, _CONNECTIVITY),
    )
    watch = Stopwatch()
    case = {Keys.ANOMALY_MAP: example.anomaly_map, Keys.FOREGROUND: example.foreground}
    for name, step in zip(STEPS, steps, strict=True):
        with watch(name):
            case = step(case)
    inside, mask = (case[key][0].numpy() > 0 for key in (Keys.FOREGROUND, Keys.PRED))
    return Result(case[Keys.ANOMALY_MAP][0].numpy(), inside, mask, watch.seconds)


def theirs(example: Example) -> Result:
    """Call SciPy."""
    values, foreground = example.anomaly_map[0].numpy(), example.foreground[0].numpy()
    watch = Stopwatch()
    with watch("median"):
        smooth = ndimage.median_filter(values, size=_KERNEL_SIZE, mode="nearest")
    with watch("erosion"):
        inside = ndimage.binary_erosion(foreground, iterations=_EROSION, border_value=1)
        smooth = np.where(inside, smooth, np.float32(0))
    with watch("threshold"):
        above = smooth > _THRESHOLD
    with watch("components"):
        labels, _ = ndimage.label(above, structure=np.ones((3, 3, 3)))
        keep = np.bincount(labels.ravel()) >= _MIN_SIZE
        keep[0] = False
        mask = keep[labels]
    return Result(smooth, inside, mask, watch.seconds)


def _ball(
    axes: Sequence[npt.NDArray[np.float32]], center: Sequence[float], radii: Sequence[float]
) -> npt.NDArray[np.bool_]:
    parts = (((axis - c) / r) ** 2 for axis, c, r in zip(axes, center, radii, strict=True))
    return np.asarray(sum(parts) < 1)


def _count(mask: npt.NDArray[np.bool_]) -> int:
    return int(ndimage.label(mask, structure=np.ones((3, 3, 3)))[1])


def _median_seconds(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """Take the median of each step and of the sum of all."""
    medians = {step: float(np.median([run[step] for run in runs])) for step in STEPS}
    return medians | {"total": float(np.median([sum(run.values()) for run in runs]))}


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
