# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from medad.metrics import (
    ScoreHistogram,
    add_histograms,
    resample,
    score_histogram,
    subject_weights,
)
from medad.metrics.statistics import ImageRecord, ImageStatistic, PixelStatistic
from sklearn.metrics import average_precision_score, roc_auc_score


def make_subjects(n: int, bits: int = 7) -> tuple[list[torch.Tensor], list[torch.Tensor], list[ScoreHistogram]]:
    generator = torch.Generator().manual_seed(4)
    masks = [(torch.rand(30, 10, generator=generator) < 0.1 * (i % 3)).int() for i in range(n)]
    scores = [torch.randn(30, 10, generator=generator).add(mask).exp() for mask in masks]
    return scores, masks, [score_histogram(s, m, bits) for s, m in zip(scores, masks, strict=True)]


def test_pixel_samples_equal_explicit_resampling() -> None:
    scores, masks, coarse = make_subjects(6)
    fine = add_histograms([score_histogram(s, m) for s, m in zip(scores, masks, strict=True)])
    statistic = PixelStatistic(fine, coarse, 0.3)
    weights = subject_weights(6, 20)
    samples = resample(statistic, weights)
    for row, drawn in enumerate(weights.tolist()):
        values = np.concatenate([s.numpy().ravel() for s, w in zip(scores, drawn, strict=True) for _ in range(w)])
        labels = np.concatenate([m.numpy().ravel() for m, w in zip(masks, drawn, strict=True) for _ in range(w)])
        assert samples["pixel_auroc"][row].item() == pytest.approx(roc_auc_score(labels, values), abs=1e-3)
        assert samples["pixel_ap"][row].item() == pytest.approx(average_precision_score(labels, values), abs=5e-3)


def test_image_samples_equal_explicit_resampling_with_ties() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    scores = np.round(rng.standard_normal(60) + labels, 1)
    owners = [f"s{i % 20:02}" for i in range(60)]
    names = sorted(set(owners))
    records = [ImageRecord(float(s), int(y), None, o) for s, y, o in zip(scores, labels, owners, strict=True)]
    statistic = ImageStatistic(records, names)
    assert statistic.value["image_auroc"].item() == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    weights = subject_weights(20, 300)
    samples = resample(statistic, weights)
    for row in range(0, 300, 13):
        times = [int(weights[row, names.index(owner)]) for owner in owners]
        assert samples["image_auroc"][row].item() == pytest.approx(
            roc_auc_score(np.repeat(labels, times), np.repeat(scores, times)), abs=1e-12
        )
        assert samples["image_ap"][row].item() == pytest.approx(
            average_precision_score(np.repeat(labels, times), np.repeat(scores, times)), abs=1e-12
        )


def test_the_interval_belongs_to_the_value() -> None:
    """Coarse bins shift a metric; without resampling the shift is taken back, and never out of [0, 1]."""
    scores, masks, coarse = make_subjects(6, bits=1)
    fine = add_histograms([score_histogram(s, m) for s, m in zip(scores, masks, strict=True)])
    statistic = PixelStatistic(fine, coarse, 0.3)
    unweighted = statistic(torch.ones(1, 6, dtype=torch.float64))
    for name in ("pixel_auroc", "pixel_ap", "fpr95", "oracle_dice", "aupro"):
        assert unweighted[name].item() == pytest.approx(statistic.value[name].item(), abs=1e-12)
        drawn = statistic(subject_weights(6, 200).double())[name]
        assert float(drawn.min()) >= 0 and float(drawn.max()) <= 1
