# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from medad.calibration.weighted_scores import WeightedScores, least_rate, normals_needed


def test_p_value_equals_the_formula() -> None:
    rng = np.random.default_rng(2)
    scores, weights = np.sort(rng.normal(size=20).round(1)), rng.uniform(0.5, 1.5, 20)
    weights *= 12 / weights.sum()
    normal = WeightedScores(scores.tolist(), weights.tolist(), 12)
    for score in [*np.linspace(-3, 3, 61).round(1).tolist(), -np.inf, np.inf]:
        assert normal.p_value(score) == pytest.approx((1 + weights[scores >= score].sum()) / 13)
    assert normal.p_value(-np.inf) == 1.0
    with pytest.raises(ValueError, match="nan"):
        normal.p_value(float("nan"))


@pytest.mark.parametrize("count", [1, 5, 8, 19, 60, 99])
def test_the_least_rate_is_supported_and_no_lower_one(count: int) -> None:
    normal = WeightedScores([float(i) for i in range(count)], [1.0] * count, count)
    rate = float(least_rate(count))
    assert normals_needed(rate) <= count < normals_needed(1 / (count + 1.01))
    assert normal.threshold(rate) == count - 1 and not normal.is_rare(count - 1, rate) and normal.is_rare(count, rate)
    assert normal.threshold(1 / (count + 1.01)) is None
