# SPDX-License-Identifier: Apache-2.0
"""Damage that can happen to the bytes of any file: cut, flipped, overwritten, swapped."""

from collections.abc import Callable

import numpy as np

Random = np.random.Generator
HEADER = 400


def _somewhere(data: bytes, random: Random) -> int:
    return int(random.integers(len(data)))


def emptied(data: bytes, random: Random) -> bytes:
    """No byte is left."""
    return b""


def truncated(data: bytes, random: Random) -> bytes:
    """The end is missing."""
    return data[: _somewhere(data, random)]


def truncated_in_header(data: bytes, random: Random) -> bytes:
    """Only a part of the header is left."""
    return data[: int(random.integers(1, HEADER))]


def beheaded(data: bytes, random: Random) -> bytes:
    """The beginning is missing."""
    return data[1 + _somewhere(data, random) :]


def flipped(data: bytes, random: Random) -> bytes:
    """Some bits anywhere are the other way round."""
    return _flip(data, random, len(data))


def flipped_in_header(data: bytes, random: Random) -> bytes:
    """Some bits of the header are the other way round."""
    return _flip(data, random, min(HEADER, len(data)))


def zeroed(data: bytes, random: Random) -> bytes:
    """A block was never written."""
    start = _somewhere(data, random)
    length = min(int(random.integers(1, 2000)), len(data) - start)
    return data[:start] + bytes(length) + data[start + length :]


def scrambled(data: bytes, random: Random) -> bytes:
    """A block holds something else."""
    start = _somewhere(data, random)
    length = min(int(random.integers(1, 500)), len(data) - start)
    return data[:start] + random.bytes(length) + data[start + length :]


def inserted(data: bytes, random: Random) -> bytes:
    """Bytes were put in between, so that all the rest is shifted."""
    start = _somewhere(data, random)
    return data[:start] + random.bytes(int(random.integers(1, 64))) + data[start:]


def text(data: bytes, random: Random) -> bytes:
    """A page that says so was saved in place of the image."""
    return b"<html><body>404 Not Found</body></html>\n" * int(random.integers(1, 200))


def noise(data: bytes, random: Random) -> bytes:
    """Nothing but random bytes."""
    return random.bytes(int(random.integers(1, 5000)))


def _flip(data: bytes, random: Random, within: int) -> bytes:
    damaged = bytearray(data)
    for _ in range(int(random.integers(1, 32))):
        damaged[int(random.integers(within))] ^= 1 << int(random.integers(8))
    return bytes(damaged)


BYTE_MUTATIONS: tuple[Callable[[bytes, Random], bytes], ...] = (
    emptied,
    truncated,
    truncated_in_header,
    beheaded,
    flipped,
    flipped_in_header,
    zeroed,
    scrambled,
    inserted,
    text,
    noise,
)
