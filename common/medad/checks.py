# SPDX-License-Identifier: Apache-2.0
"""Checks of arguments: each error names the argument, its value and what is expected.

``check_...`` raises ``ValueError`` at whoever calls, ``require_...`` an :class:`InputError` that speaks of the data.
"""

import math
from collections.abc import Container, Sequence

from torch import Tensor

from .errors import InputError


def check_spatial_dims(spatial_dims: int) -> None:
    """Refuse anything but 2 and 3.

    Raises:
        ValueError: if ``spatial_dims`` is neither.
    """
    if spatial_dims not in (2, 3):
        raise ValueError(f"spatial_dims={spatial_dims}: must be 2 or 3.")


def check_at_least(lowest: float, **values: float) -> None:
    """Refuse numbers below a lowest one, and NaN.

    Raises:
        ValueError: naming the argument.

    Example:
        >>> check_at_least(1, repeats=0)
        Traceback (most recent call last):
        ValueError: repeats=0: must be at least 1.
    """
    for name, value in values.items():
        if not value >= lowest:
            raise ValueError(f"{name}={value}: must be at least {lowest}.")


def check_positive(**values: float) -> None:
    """Refuse numbers that are not above 0, or not finite.

    Raises:
        ValueError: naming the argument.
    """
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name}={value}: must be positive.")


def check_within(interval: str, **values: float) -> None:
    """Refuse numbers outside of an interval, and NaN.

    Args:
        interval: such as ``"[0, 1)"``; a round bracket leaves its end out.
        values: numbers by the name of the argument.

    Raises:
        ValueError: naming the argument.

    Example:
        >>> check_within("(0, 1]", fraction=0.0)
        Traceback (most recent call last):
        ValueError: fraction=0.0: must lie in (0, 1].
    """
    low, high = map(float, interval[1:-1].split(","))
    for name, value in values.items():
        above = low <= value if interval[0] == "[" else low < value
        below = value <= high if interval[-1] == "]" else value < high
        if not (above and below):
            raise ValueError(f"{name}={value}: must lie in {interval}.")


def check_window(**windows: Sequence[float] | None) -> None:
    """Refuse what is no window of intensities; ``None``, no window, is fine.

    Raises:
        ValueError: naming the argument.
    """
    for name, window in windows.items():
        ends = list(window) if isinstance(window, Sequence) and not isinstance(window, str) else []
        if window is not None and not (len(ends) == 2 and -math.inf < ends[0] < ends[1] < math.inf):
            raise ValueError(f"{name}={window}: two finite numbers are expected, the lower one first.")


def check_odd(lowest: int = 1, **values: int) -> None:
    """Refuse widths that have no middle, or are below a lowest one.

    Raises:
        ValueError: naming the argument.
    """
    for name, value in values.items():
        if value < lowest or value % 2 == 0:
            raise ValueError(f"{name}={value}: must be odd and at least {lowest}.")


def check_choice(choices: Container[object], **values: object) -> None:
    """Refuse what is none of a few words.

    Raises:
        ValueError: naming the argument and the words.
    """
    for name, value in values.items():
        if value not in choices:
            raise ValueError(f"{name}={value!r}: must be one of {choices}.")


def check_divides(whole: int | Sequence[int], named: str, **parts: int) -> None:
    """Refuse parts that a whole, or each of several, is no multiple of.

    Args:
        whole: numbers to divide.
        named: what they are called.
        parts: divisors by the name of the argument.

    Raises:
        ValueError: naming both arguments.
    """
    for name, part in parts.items():
        if part < 1 or any(number % part for number in ([whole] if isinstance(whole, int) else whole)):
            raise ValueError(f"{name}={part}: must divide {named}={whole if isinstance(whole, int) else list(whole)}.")


def check_sizes(spatial_dims: int, multiple: int = 1, **sizes: Sequence[int]) -> None:
    """Refuse grids of other axes, or with an axis that is no positive multiple of a number.

    Raises:
        ValueError: naming the argument.
    """
    for name, size in sizes.items():
        if len(size) != spatial_dims:
            raise ValueError(f"{name}={tuple(size)}: {spatial_dims} entries are expected.")
        if any(length < multiple or length % multiple for length in size):
            least = f"a multiple of {multiple}" if multiple > 1 else "at least 1"
            raise ValueError(f"{name}={tuple(size)}: every entry must be {least}.")


def check_channel_first(x: Tensor, spatial_dims: int) -> None:
    """Refuse a tensor that is not ``(C, *spatial)``.

    Args:
        x: tensor to check.
        spatial_dims: 2 or 3; with 2, a volume ``(C, X, Y, Z)`` is accepted as slices along its last axis.

    Raises:
        ValueError: if ``spatial_dims`` is neither 2 nor 3, or the number of axes differs.
    """
    check_spatial_dims(spatial_dims)
    if x.ndim - 1 != spatial_dims and not (spatial_dims == 2 and x.ndim == 4):
        raise ValueError(f"shape {tuple(x.shape)}: (C, *spatial) with spatial_dims={spatial_dims} is expected.")


def require_axes(images: Tensor, spatial_dims: int) -> None:
    """Refuse to train a network on images of another dimension.

    Raises:
        InputError: if the images are not ``(B, C, *spatial)`` with ``spatial_dims`` spatial axes.
    """
    if images.ndim != spatial_dims + 2:
        raise InputError(
            f"images with {images.ndim - 2} spatial axes found",
            where="training data",
            expected=f"{spatial_dims} spatial axes",
            remedy="Train a 2D network on slices, or add volume_3d.json to the config files.",
        )


def require_flag(where: object, **flags: object) -> None:
    """Refuse a switch that is neither ``True`` nor ``False``.

    MONAI's command line makes a text of ``false``, which counts as true.

    Args:
        where: file or folder that the switch is about.
        flags: one switch by name.

    Raises:
        InputError: naming the switch.
    """
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            given, remedy = f"{name} {flag!r} given", "Write it with a capital letter."
            raise InputError(given, where=where, expected="True or False", remedy=remedy)
