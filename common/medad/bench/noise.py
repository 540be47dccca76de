# SPDX-License-Identifier: Apache-2.0
"""Benchmark of fractal simplex noise: each of its forms, against the ``opensimplex`` package.

``opensimplex`` draws octave by octave and adds them up. "one by one" is the way of the AnoDDPM code: the same, with a
new permutation table for every image. Images are slices of a 3D field (three coordinates), the volume is a 3D field.
"""

import argparse
import functools
import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import MedadError
from ..noise import FractalSimplexNoise, backend
from ..noise.backends import VARIABLE
from .timing import interleaved, machine

_NOISE = FractalSimplexNoise(spatial_dims=2)
_THEIRS = ("opensimplex", "one by one")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--size", type=int, default=256, help="edge of an image")
    parser.add_argument("--batch", type=int, default=16, help="images drawn at once")
    parser.add_argument("--volume-size", type=int, default=128, help="edge of the volume")
    parser.add_argument("--device", default="cpu", help="where medad draws; the others run on the CPU")
    parser.add_argument("--without-opensimplex", action="store_true", help="for inputs that would take it minutes")
    parser.add_argument("--repeats", type=int, default=9, help="measured rounds; medians are written")


def run(args: argparse.Namespace) -> list[dict[str, object]]:
    """Measure one image, a batch of images, and a volume.

    Args:
        args: options of :func:`add_arguments`.

    Returns:
        A row for each input and implementation.

    Raises:
        MedadError: if the package ``opensimplex`` is not installed.
    """
    others = () if args.without_opensimplex else _THEIRS
    if others and importlib.util.find_spec("opensimplex") is None:
        raise MedadError("the noise benchmark compares with opensimplex: pip install opensimplex numba")
    device = torch.device(args.device)
    image, volume = [args.size] * 2, [args.volume_size] * 3
    rows: list[dict[str, object]] = []
    for name, batch, spatial in (("image", 1, image), ("batch", args.batch, image), ("volume", 1, volume)):
        calls = {form: partial(ours, form, batch, spatial, device) for form in _forms(device)}
        calls |= {way: partial(theirs, way, batch, spatial) for way in others}
        seconds = interleaved({way: partial(_timed, call, device) for way, call in calls.items()}, args.repeats, 2)
        reference = ours("torch", batch, spatial, device)
        for way in calls:
            each = median(seconds[way]) / batch
            rows.append(
                {
                    "benchmark": "noise",
                    "input": name,
                    "images": batch,
                    "size": "x".join(map(str, spatial)),
                    "octaves": _NOISE.octaves,
                    "implementation": way if way in _THEIRS else f"medad {way}",
                    "ms_per_image": round(1e3 * each, 4),
                    "mvoxel_per_s": round(np.prod(spatial) / each / 1e6, 1),
                    "speedup": round(_median_ratio(seconds["opensimplex"], seconds[way]), 2) if others else "",
                    "difference": "" if way in _THEIRS else float((calls[way]() - reference).abs().max()),
                    **machine("cpu" if way in _THEIRS else device),
                }
            )
    return rows


def ours(form: str, batch: int, spatial: list[int], device: torch.device) -> Tensor:
    """Draw fields by one form of medad.

    Args:
        form: ``"compiled"`` or ``"torch"``, as in the environment variable.
        batch: number of fields.
        spatial: their size.
        device: where they are drawn.

    Returns:
        ``(B, 1, *spatial)``.
    """
    noise = FractalSimplexNoise(len(spatial), time_axis=len(spatial) == 2)
    with _environment(form):
        return noise(torch.empty(batch, 1, *spatial, device=device), torch.arange(batch, device=device))


def theirs(way: str, batch: int, spatial: list[int]) -> Tensor:
    """Draw fields by ``opensimplex``, octave by octave.

    Args:
        way: ``"opensimplex"``: permutation tables are there; ``"one by one"``: each field makes its own first.
        batch: number of fields.
        spatial: their size.

    Returns:
        ``(B, 1, *spatial)``.
    """
    fields = []
    for seed in range(batch):
        generator = _generator(seed) if way == "one by one" else _kept_generator(seed)
        total = np.zeros(spatial)
        for octave in range(_NOISE.octaves):
            wavelength = _NOISE.frequency / 2**octave
            axes = [np.arange(size) / wavelength for size in reversed(spatial)]
            axes += [np.zeros(1)] * (3 - len(axes))
            total += _NOISE.persistence**octave * generator.noise3array(*axes).reshape(spatial)
        fields.append(torch.from_numpy(total.astype(np.float32))[None])
    return torch.stack(fields)


def _generator(seed: int) -> Any:
    import opensimplex

    return opensimplex.OpenSimplex(seed)


_kept_generator = functools.cache(_generator)


def _forms(device: torch.device) -> list[str]:
    return ["torch"] if backend(device) == "torch" else ["compiled", "torch"]


def _timed(call: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def _median_ratio(reference: list[float], seconds: list[float]) -> float:
    return median(one / other for one, other in zip(reference, seconds, strict=True))


@contextmanager
def _environment(form: str) -> Iterator[None]:
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = form
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
