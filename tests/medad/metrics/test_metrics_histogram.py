# SPDX-License-Identifier: Apache-2.0
"""Bins keep the order, count exactly, add up, and cost a bounded error."""

import numpy as np
import pytest
import torch
from medad.bench import in_fresh_process, peak_extra_memory
from medad.metrics import (
    ScoreHistogram,
    add_histograms,
    auroc,
    average_precision,
    coarsen,
    fpr_at_tpr,
    key_values,
    oracle_dice,
    quantile_groups,
    score_histogram,
    score_keys,
)
from medad.metrics.histogram import MANTISSA_BITS, empty_histogram
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

MIXED = torch.tensor([-3e38, -2.0, -1.0, -0.999, -1e-3, -1e-40, -0.0, 0.0, 1e-45, 1e-3, 0.999, 1.0, 1.001, 2.0, 3e38])


def draw(shape: tuple[int, ...], seed: int = 0, prevalence: float = 0.015) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(shape, generator=generator) < prevalence
    scores = torch.randn(shape, generator=generator).add_(mask, alpha=1.2).exp_()
    return scores, mask.to(torch.uint8)


def as_dict(histogram: ScoreHistogram) -> dict[int, tuple[int, int, float]]:
    rows = zip(*(field.tolist() for field in histogram), strict=True)
    return {key: (n, p, pytest.approx(r)) for key, n, p, r in rows}


def brute_force(scores: torch.Tensor, regions: torch.Tensor, bits: int) -> dict[int, tuple[int, int, float]]:
    keys, labels = score_keys(scores, bits).flatten(), regions.flatten().long()
    sizes = torch.bincount(labels)
    result = {}
    for key in keys.unique().tolist():
        inside = labels[keys == key]
        abnormal = inside[inside > 0]
        result[key] = (int((inside == 0).sum()), len(abnormal), float((1 / sizes[abnormal].double()).sum()))
    return result


@pytest.mark.parametrize("bits", [0, 7, 12, 23])
def test_keys_keep_the_order_of_mixed_signs(bits: int) -> None:
    keys = score_keys(MIXED, bits)
    assert (keys.diff() >= 0).all()
    assert keys[6] == keys[7]
    if bits == 23:
        assert (keys.diff() > 0).sum() == len(MIXED) - 2


@pytest.mark.parametrize("bits", [0, 7, 12, 23])
def test_key_value_is_the_lowest_score_of_its_bin(bits: int) -> None:
    scores = torch.cat([MIXED[1:-1], torch.randn(1000, generator=torch.Generator().manual_seed(0))])
    keys = score_keys(scores, bits)
    low = key_values(keys, bits)
    assert (low <= scores).all()
    assert torch.equal(score_keys(low, bits), keys)
    below = torch.nextafter(low, torch.tensor(-torch.inf))
    assert (score_keys(below, bits) < keys).all()
    normal = scores.abs() > 1e-37
    assert ((scores - low)[normal] <= 2.0**-bits * scores[normal].abs() * 1.001).all()


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf, -torch.nan])
def test_scores_that_are_not_finite_are_refused(bad: float) -> None:
    for other in (1.0, -1.0):
        with pytest.raises(ValueError, match="finite"):
            score_keys(torch.tensor([other, bad]))


def test_a_nan_with_the_sign_bit_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        score_keys(torch.tensor([-4194304], dtype=torch.int32).view(torch.float32))


@pytest.mark.parametrize("bits", [-1, 24])
def test_bits_out_of_range_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match="mantissa_bits"):
        score_keys(torch.ones(1), bits)


@pytest.mark.parametrize(("shape", "chunk", "sorting"), [((9, 7), 16, 0), ((5, 6, 7), 50, 10**9), ((1, 1), 7, 0)])
def test_counts_equal_brute_force_in_chunks(
    shape: tuple[int, ...], chunk: int, sorting: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medad.metrics.histogram._CHUNK", chunk)
    monkeypatch.setattr("medad.metrics.histogram._SORTING_IS_FASTER", sorting)
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(shape, generator=generator)
    regions = torch.randint(0, 4, shape, generator=generator, dtype=torch.int32)
    assert as_dict(score_histogram(scores, regions, 3)) == brute_force(scores, regions, 3)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_float_types_and_boolean_masks(dtype: torch.dtype) -> None:
    scores, mask = draw((20, 20))
    scores = scores.to(dtype)
    expected = as_dict(score_histogram(scores.float(), mask))
    assert as_dict(score_histogram(scores, mask.bool())) == expected


def test_inputs_stay_as_they_are() -> None:
    scores, mask = draw((300, 300))
    copies = scores.clone(), mask.clone()
    score_histogram(-scores, mask)
    score_histogram(scores, mask, 23)
    assert torch.equal(scores, copies[0])
    assert torch.equal(mask, copies[1])


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="equal shapes"):
        score_histogram(torch.zeros(2, 3), torch.zeros(3, 2, dtype=torch.uint8))


def test_adding_parts_is_counting_the_whole() -> None:
    scores, mask = draw((10, 11, 12), prevalence=0.3)
    whole = score_histogram(scores, mask)
    parts = add_histograms([score_histogram(s, m) for s, m in zip(scores, mask, strict=True)] + [empty_histogram()])
    assert torch.equal(whole.keys, parts.keys)
    assert torch.equal(whole.negatives, parts.negatives)
    assert torch.equal(whole.positives, parts.positives)
    assert parts.regions.sum().item() == pytest.approx(10)
    assert len(add_histograms([]).keys) == 0


def test_coarsening_is_counting_coarsely() -> None:
    scores, mask = draw((50, 50), prevalence=0.2)
    scores = scores - 1
    assert as_dict(coarsen(score_histogram(scores, mask, 12), 5)) == as_dict(score_histogram(scores, mask, 7))


@pytest.mark.parametrize("groups", [1, 5, 64, 10**6])
def test_quantile_groups_are_few_ordered_and_even(groups: int) -> None:
    histogram = score_histogram(*draw((100, 100)))
    group = quantile_groups(histogram, groups)
    assert group[0] == 0
    assert set(group.diff().tolist()) <= {0, 1}
    assert int(group[-1]) + 1 <= min(groups, len(histogram.keys))
    mass = sum(field / field.sum() / 2 for field in (histogram.negatives, histogram.positives))
    shares = torch.zeros(int(group[-1]) + 1, dtype=torch.float64).index_add_(0, group, mass.double())
    assert shares.max() <= 1 / groups + mass.max() + 1e-9


CASES = {
    "log-normal": lambda s: s,
    "tiny": lambda s: s * 1e-12,
    "large and negative": lambda s: -1e6 / s,
    "one octave": lambda s: 1 + s.log().sigmoid(),
    "many zeros": lambda s: (s - 1).clamp(min=0),
    "eight levels": lambda s: (s * 2).floor().clamp(max=7),
}


@pytest.mark.parametrize("name", CASES)
def test_error_is_below_a_thousandth(name: str) -> None:
    scores, mask = draw((1_000_000,) if name == "log-normal" else (200_000,))
    scores = CASES[name](scores)
    histogram = score_histogram(scores, mask)
    counts = (histogram.negatives, histogram.positives)
    labels, values = mask.numpy(), scores.numpy()
    fpr, tpr, _ = roc_curve(labels, values, drop_intermediate=False)
    positives, negatives = mask.sum().item(), (1 - mask).sum().item()
    dice = 2 * tpr * positives / (tpr * positives + fpr * negatives + positives)
    best, level = oracle_dice(*counts)
    assert auroc(*counts).item() == pytest.approx(roc_auc_score(labels, values), abs=1e-3)
    assert average_precision(*counts).item() == pytest.approx(average_precision_score(labels, values), abs=1e-3)
    assert fpr_at_tpr(*counts).item() == pytest.approx(fpr[tpr >= 0.95].min(), abs=1e-3)
    assert best.item() == pytest.approx(dice.max(), abs=1e-3)
    decided = values >= key_values(histogram.keys, MANTISSA_BITS)[level].item()
    hit = np.count_nonzero(decided & (labels == 1))
    assert best.item() == pytest.approx(2 * hit / (decided.sum() + positives), abs=1e-12)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("size", [1000, 300_000])
def test_cuda_counts_the_same(size: int) -> None:
    scores, mask = draw((size,))
    assert as_dict(score_histogram(scores.cuda(), mask.cuda())) == as_dict(score_histogram(scores, mask))


def extra_memory_of_a_histogram(voxels: int) -> int | None:
    scores = torch.rand(voxels)
    mask = (scores > 0.9).to(torch.uint8)
    score_histogram(scores[: 2**17], mask[: 2**17])
    return peak_extra_memory(lambda: score_histogram(scores, mask))


def test_extra_memory_does_not_grow_with_the_volume() -> None:
    voxels = 2**26
    extra = in_fresh_process(extra_memory_of_a_histogram, voxels)
    if extra is None:
        pytest.skip("needs /proc/self/clear_refs")
    assert extra < 120e6 < voxels * 4  # a copy of the scores would be more than twice that
