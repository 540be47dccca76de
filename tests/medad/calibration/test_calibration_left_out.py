# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from medad.calibration.left_out import FOLDS, LeftOutRates

VOXELS = 400


def maps(subjects: int, random: np.random.Generator) -> torch.Tensor:
    """Maps of subjects ``(n, voxels)``, of which some are brighter than others."""
    scale = np.exp(0.5 * random.standard_normal((subjects, 1)))
    return torch.as_tensor(scale * random.gamma(2.0, size=(subjects, VOXELS)), dtype=torch.float32)


def left_out(values: torch.Tensor, named: bool = True) -> LeftOutRates:
    names = [f"subject {number}" for number in range(len(values))]
    rates = LeftOutRates(names if named else None)
    for name, value in zip(names, values, strict=True):
        rates.add(name, value, 1.0 / VOXELS)
    return rates


def test_each_of_few_subjects_is_left_out_by_itself() -> None:
    values = maps(7, np.random.default_rng(0))
    expected = []
    for rate in (0.2, 0.02):
        above = []
        for subject in range(7):
            others = np.sort(torch.cat([values[:subject], values[subject + 1 :]]).flatten().numpy())[::-1]
            above.append(float((values[subject] > others[int(rate * others.size)]).float().mean()))
        expected.append(np.mean(above))
    assert left_out(values).rates([0.2, 0.02]).expected == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize(("subjects", "excess", "draws"), [(5, 3.0, 60), (19, 1.4, 30), (200, 1.0, 2)])
def test_it_is_what_new_subjects_have(subjects: int, excess: float, draws: int) -> None:
    random, rate = np.random.default_rng(1), 0.002
    new = maps(2000, random).flatten()
    said, highest, true = [], [], []
    for _ in range(draws):
        values = maps(subjects, random)
        found = left_out(values).rates([rate])
        said += found.expected
        highest += found.at_most
        threshold = values.flatten().sort(descending=True).values[int(rate * values.numel())]
        true.append(float((new > threshold).float().mean()))
    assert np.mean(said) == pytest.approx(np.mean(true), rel=0.3)
    assert np.mean(true) > excess * rate
    below = np.mean(np.array(true) <= np.array(highest))
    assert below >= (0.65 if draws > 2 else 0.5)  # of subjects that differ as much as these


def test_many_subjects_share_folds_and_processes() -> None:
    values = maps(3 * FOLDS, np.random.default_rng(2))
    whole, names = left_out(values), [f"subject {number}" for number in range(len(values))]
    parts = [LeftOutRates(names) for _ in range(2)]
    for number, (name, value) in enumerate(zip(names, values, strict=True)):
        parts[number % 2].add(name, value, 1.0 / VOXELS)
    parts[0].merge(parts[1])
    for merged, alone in zip(parts[0].rates([0.1, 0.01]), whole.rates([0.1, 0.01]), strict=True):
        assert merged == pytest.approx(alone, rel=1e-9)


def test_subjects_that_are_not_known_before_are_told_apart_by_name() -> None:
    values = maps(100, np.random.default_rng(3))
    found = left_out(values, named=False).rates([0.05])
    assert found.expected == pytest.approx(left_out(values).rates([0.05]).expected, rel=0.2)


def test_one_subject_tells_nothing_of_others() -> None:
    assert left_out(maps(1, np.random.default_rng(0))).rates([0.1]) == ((), ())


def test_the_error_is_that_of_a_mean() -> None:
    """One subject of five is all above the others: a fifth is above, and the shares 0, 0, 0, 0, 1 vary by 0.2."""
    values = torch.cat([torch.full((4, VOXELS), 1.0), torch.full((1, VOXELS), 2.0)])
    found = left_out(values).rates([0.3])
    assert found.expected == (0.2,) and found.at_most == pytest.approx((0.2 + 2 * 0.2,))
