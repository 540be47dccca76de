# SPDX-License-Identifier: Apache-2.0
"""Source of the compiled kernels: ``simplex.h`` for all, with one file for processors and one for CUDA."""

from collections.abc import Iterator
from pathlib import Path

from ..gradient_word import SHIFT, gradient_word
from ..lattice import EXCHANGES, HASH_FIRST, HASH_NEXT, HASH_ROUNDS, LATTICES

_FOLDER = Path(__file__).parent


def source(name: str) -> str:
    """Read a source file, with the header that it includes in its place.

    Args:
        name: ``"simplex_cpu.cpp"`` or ``"simplex_cuda.cu"``.

    Returns:
        C++ code, complete but for :func:`definitions`.
    """
    header = (_FOLDER / "simplex.h").read_text(encoding="utf-8")
    return (_FOLDER / name).read_text(encoding="utf-8").replace('#include "simplex.h"', header)


def definitions() -> str:
    """Write the numbers of the lattices for the preprocessor, so that they stand in one place only.

    Returns:
        Lines ``#define NAME value``.
    """
    return "\n".join(_definitions()) + "\n"


def _definitions() -> Iterator[str]:
    yield f"#define SIMPLEX_GRADIENT_SHIFT {SHIFT}u"
    yield f"#define SIMPLEX_HASH_FIRST {HASH_FIRST:#x}u"
    yield f"#define SIMPLEX_HASH_NEXT {HASH_NEXT:#x}u"
    for turn, (shift, factor) in enumerate(HASH_ROUNDS):
        yield f"#define SIMPLEX_SHIFT_{turn} {shift}"
        yield f"#define SIMPLEX_FACTOR_{turn} {factor:#x}u"
    for dims, lattice in LATTICES.items():
        yield f"#define SIMPLEX_SQUISH_{dims} {lattice.squish!r}"
        yield f"#define SIMPLEX_WORD_{dims} {{" + ", ".join(f"{number:#x}u" for number in gradient_word(lattice)) + "}"
        # a missing coordinate is 0, so that one macro serves all dimensions
        points = (", ".join(map(str, (*point, 0, 0)[:4])) for point in lattice.points)
        yield f"#define SIMPLEX_POINTS_{dims}(P) " + " ".join(f"P({point})" for point in points)
        pairs = (f"E({first}, {second})" for first, second in EXCHANGES[dims])
        yield f"#define SIMPLEX_EXCHANGES_{dims}(E) " + " ".join(pairs)
