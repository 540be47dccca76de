# SPDX-License-Identifier: Apache-2.0
"""Weights stand for repeated subjects; intervals are those of explicit resampling and cover as often as they say."""

import numpy as np
import pytest
import torch
from medad.metrics import (
    ScoreHistogram,
    WeightedHistograms,
    add_histograms,
    auroc,
    percentile_interval,
    resample,
    score_histogram,
    subject_weights,
)
from medad.metrics.histogram import empty_histogram
from medad.metrics.statistics import ImageRecord, ImageStatistic


def make_subjects(n: int, bits: int = 7) -> tuple[list[torch.Tensor], list[torch.Tensor], list[ScoreHistogram]]:
    generator = torch.Generator().manual_seed(4)
    masks = [(torch.rand(30, 10, generator=generator) < 0.1 * (i % 3)).int() for i in range(n)]
    scores = [torch.randn(30, 10, generator=generator).add(mask).exp() for mask in masks]
    return scores, masks, [score_histogram(s, m, bits) for s, m in zip(scores, masks, strict=True)]


def test_weights_are_draws_with_replacement() -> None:
    weights = subject_weights(50, 400, seed=1)
    assert weights.shape == (400, 50)
    assert (weights.sum(1) == 50).all()
    assert weights.double().mean(0).sub(1).abs().max() < 0.25
    assert weights.double().var().item() == pytest.approx(1 - 1 / 50, abs=0.05)
    assert torch.equal(weights, subject_weights(50, 400, seed=1))
    assert not torch.equal(weights, subject_weights(50, 400, seed=2))
    assert torch.equal(weights[:200], subject_weights(50, 200, seed=1))


@pytest.mark.parametrize("arguments", [(0, 10), (3, -1)])
def test_bad_numbers(arguments: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        subject_weights(*arguments)


def test_weighted_histogram_is_the_histogram_of_repeated_subjects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medad.metrics.bootstrap._SUBJECTS_AT_ONCE", 3)
    _, _, histograms = make_subjects(7)
    histograms[2] = empty_histogram()
    together = WeightedHistograms(histograms)
    weights = subject_weights(7, 5)
    negatives, positives, regions = together.weighted(weights.double())
    for row in range(5):
        repeated = add_histograms([h for h, w in zip(histograms, weights[row].tolist(), strict=True) for _ in range(w)])
        place = torch.searchsorted(together.keys, repeated.keys)
        for field, dense in (
            (repeated.negatives, negatives),
            (repeated.positives, positives),
            (repeated.regions, regions),
        ):
            assert torch.allclose(dense[row, place], field.double())
            assert dense[row].sum().item() == pytest.approx(field.sum().item())


@pytest.mark.parametrize("max_bins", [8, 64])
def test_joined_bins_keep_the_totals_and_nearly_the_metric(max_bins: int) -> None:
    _, _, histograms = make_subjects(5, bits=12)
    pooled = add_histograms(histograms)
    joined = WeightedHistograms(histograms, max_bins)
    negatives, positives, regions = joined.unweighted
    assert joined.bins <= max_bins
    assert negatives.sum() == pooled.negatives.sum()
    assert positives.sum() == pooled.positives.sum()
    assert regions.sum().item() == pytest.approx(pooled.regions.sum().item())
    assert auroc(negatives, positives)[0].item() == pytest.approx(
        auroc(pooled.negatives, pooled.positives).item(), abs=0.1 / max_bins
    )


def test_percentiles() -> None:
    samples = torch.arange(1001, dtype=torch.float64)
    assert percentile_interval(samples) == pytest.approx((25, 975))
    assert percentile_interval(samples, 0.5) == pytest.approx((250, 750))
    mostly = torch.cat([samples, torch.full((500,), torch.nan, dtype=torch.float64)])
    assert percentile_interval(mostly) == pytest.approx((25, 975))
    assert percentile_interval(torch.cat([mostly, mostly * torch.nan])) is None
    assert percentile_interval(torch.zeros(0)) is None


def test_interval_of_a_mean_covers_the_truth_about_95_percent_of_the_time() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = subject_weights(40, 300)
    hits = 0
    for _ in range(300):
        values = torch.rand(40, generator=generator, dtype=torch.float64)
        interval = percentile_interval(weights.double() @ values / 40)
        assert interval is not None
        hits += interval[0] <= 0.5 <= interval[1]
    assert 0.90 <= hits / 300 <= 0.98


def test_subjects_with_many_images_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    effect = rng.standard_normal(20)
    records = [
        ImageRecord(float(effect[s] + 0.1 * rng.standard_normal() + (s % 2)), s % 2, None, f"s{s:02}")
        for s in range(20)
        for _ in range(10)
    ]
    alone = [record._replace(subject_id=f"i{i:03}") for i, record in enumerate(records)]
    widths = []
    for items in (records, alone):
        names = sorted({r.subject_id for r in items})
        samples = resample(ImageStatistic(items, names), subject_weights(len(names), 300))
        low, high = percentile_interval(samples["image_auroc"]) or (0, 0)
        widths.append(high - low)
    assert widths[0] > 2 * widths[1]
