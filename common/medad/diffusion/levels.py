# SPDX-License-Identifier: Apache-2.0
"""Levels of a diffusion process: what they are, how users write them, and which ones are visited.

A *level* counts noising steps: level 0 is the image itself, level T almost only noise. A network that was trained with
timesteps 0 ... T - 1 is asked about level l with timestep l - 1. Counting levels leaves no room for being off by one
between adding noise and removing it. As an argument, ``level`` is one integer, or a tensor ``(B,)`` with one for each
image.
"""

from collections.abc import Iterable, Sequence

from ..checks import check_within
from .schedule import Schedule


def highest_level(schedule: Schedule, trained_levels: int | None) -> int:
    """Give the highest level that a network may be asked for.

    Args:
        schedule: tables of the process.
        trained_levels: the highest level that the network was trained for; ``None``: all of the process.

    Raises:
        ValueError: if the process has no such level.
    """
    if trained_levels is None:
        return schedule.levels
    check_within(f"[1, {schedule.levels}]", trained_levels=trained_levels)
    return trained_levels


def read_levels(name: str, levels: int | Sequence[int] | str, highest: int) -> tuple[int, ...]:
    """Read levels of a diffusion process.

    Args:
        name: what the levels are called, for messages.
        levels: one or several whole numbers, or a text that holds them with commas between, as a client's field does.
        highest: the highest level that the network was trained for.

    Returns:
        The levels, in the order given.

    Raises:
        ValueError: if something is no whole number or no such level.
    """
    parts: Iterable[object] = levels if isinstance(levels, Iterable) else (levels,)
    if isinstance(levels, str):
        text = levels.strip("[](), ")
        parts = text.split(",") if text else ()
    try:
        numbers = tuple(int(str(part)) for part in parts)
    except ValueError:
        raise ValueError(f'{name}={levels!r}: whole numbers are expected, such as "50, 100".') from None
    if not all(1 <= level <= highest for level in numbers):
        raise ValueError(f"{name}={list(numbers)}: levels between 1 and {highest}, which are trained, are expected.")
    return numbers


def level_grid(start: int, steps: int) -> list[int]:
    """Divide the way from a level to the image into steps of nearly equal length.

    Args:
        start: highest level, at least 1.
        steps: number of steps, at most ``start``.

    Returns:
        ``steps + 1`` falling levels from ``start`` to 0.

    Raises:
        ValueError: if there are more steps than levels, or none.
    """
    if not isinstance(steps, int) or not 1 <= steps <= start:
        raise ValueError(f"steps={steps}: a whole number from 1 to the level they start from, {start}, is expected.")
    return [(2 * start * (steps - index) + steps) // (2 * steps) for index in range(steps + 1)]
