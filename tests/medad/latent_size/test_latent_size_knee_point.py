# SPDX-License-Identifier: Apache-2.0
import math

import pytest
from medad.latent_size import knee


@pytest.mark.parametrize("bend", [2, 3, 4])
def test_the_knee_of_two_straight_lines_is_where_they_meet(bend: int) -> None:
    sizes = [2**i for i in range(8)]
    errors = [10.0 - 3 * i if i <= bend else 10 - 3 * bend - 0.1 * (i - bend) for i in range(8)]
    assert knee(sizes, errors) == 2**bend
    assert knee(sizes, [1e-3 * error + 7 for error in errors]) == 2**bend  # neither scale nor offset matters


def test_curves_without_a_knee() -> None:
    assert knee([1, 2, 4], [3.0, 3.0, 3.0]) == 1  # nothing is gained
    assert knee([1, 2, 4], [1.0, 2.0, 3.0]) == 1
    assert knee([1, 2, 4, 8], [4.0, 3.0, 2.0, 1.0]) == 8  # not large enough yet


@pytest.mark.parametrize(
    ("sizes", "errors"), [([1, 2], [2.0, 1.0]), ([1, 1, 2], [3.0, 2.0, 1.0]), ([1, 2, 4], [1.0, math.nan, 0.0])]
)
def test_unusable_curves_are_refused(sizes: list[int], errors: list[float]) -> None:
    with pytest.raises(ValueError, match=r"sizes|errors"):
        knee(sizes, errors)
