# SPDX-License-Identifier: Apache-2.0
"""Knee of a falling curve: its point farthest below the straight line between its ends.

With x = log2(size) and both axes scaled to [0, 1], the knee is argmax of (1 - x) - y.
"""

import math
from collections.abc import Sequence
from itertools import pairwise


def knee(sizes: Sequence[int], errors: Sequence[float]) -> int:
    """Choose the size at the knee of the curve of errors.

    A curve that does not fall, or falls along a straight line, has no knee: then nothing is gained by a large code, or
    no size is large enough, and the smallest or the largest size is returned.

    Args:
        sizes: at least 3 latent sizes, rising.
        errors: reconstruction error at each size.

    Returns:
        One of ``sizes``.

    Raises:
        ValueError: if there are fewer than 3 sizes, they do not rise, or an error is not finite.

    Example:
        >>> knee([1, 2, 4, 8, 16, 32], [1.0, 0.6, 0.3, 0.1, 0.09, 0.08])
        8

    References:
        Satopaa et al., "Finding a 'Kneedle' in a Haystack", ICDCS Workshops 2011, doi:10.1109/ICDCSW.2011.20,
        section III.
    """
    if len(sizes) < 3 or len(sizes) != len(errors):
        raise ValueError(f"{len(sizes)} sizes and {len(errors)} errors: at least 3 of each are expected.")
    if any(later <= earlier for earlier, later in pairwise(sizes)) or sizes[0] < 1:
        raise ValueError(f"sizes={list(sizes)}: must rise, from at least 1.")
    if not all(map(math.isfinite, errors)):
        raise ValueError(f"errors={list(errors)}: must be finite.")
    drop = errors[0] - errors[-1]
    if drop <= 0:
        return sizes[0]
    span = math.log2(sizes[-1] / sizes[0])
    below = [
        1 - math.log2(size / sizes[0]) / span - (error - errors[-1]) / drop
        for size, error in zip(sizes, errors, strict=True)
    ]
    deepest = max(below)
    # rounding alone must not make a knee out of a straight line
    return sizes[below.index(deepest)] if deepest > 1e-6 else sizes[-1]
