# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from medad.phantom.anatomy import draw_head
from medad.phantom.fields import normalized_axes


@pytest.mark.parametrize("dims", [2, 3])
def test_a_finer_grid_shows_the_same_head(dims: int) -> None:
    coarse, fine = (draw_head(np.random.default_rng(2), normalized_axes((size,) * dims)).intensity for size in (32, 64))
    for axis in range(dims):
        pairs = np.moveaxis(fine, axis, 0)
        fine = np.moveaxis((pairs[::2] + pairs[1::2]) / 2, 0, axis)
    assert np.corrcoef(coarse.ravel(), fine.ravel())[0, 1] > 0.97


def test_anatomy_is_ordered_like_a_head() -> None:
    heads = [draw_head(np.random.default_rng(seed), normalized_axes((128, 128))) for seed in range(8)]
    seen = 0
    for head in heads:
        x, y, z = head.coordinates
        radius = np.sqrt(x * x + y * y + z * z)
        scalp = head.intensity[(radius > 0.9) & (radius < 0.96)].max()
        skull = np.median(head.intensity[np.abs(radius - 0.885) < 0.008])
        white = np.median(head.intensity[(radius < 0.45) & (head.ventricles.level(x, y, z) < -0.05)])
        ventricle = head.intensity[head.ventricles.level(x, y, z) > 0.025]
        seen += ventricle.size > 10
        assert scalp > white > skull
        assert ventricle.size == 0 or np.median(ventricle) < 0.5 * white
        assert np.all(head.intensity[~head.inside] == 0)
    assert seen >= 6


def test_subjects_differ_in_anatomy() -> None:
    heads = [draw_head(np.random.default_rng(seed), normalized_axes((64, 64))) for seed in range(30)]
    area = np.array([head.inside.sum() for head in heads])
    ventricles = np.array([head.ventricles.level(*head.coordinates).clip(0).astype(bool).sum() for head in heads])
    assert area.std() / area.mean() > 0.02
    assert ventricles.max() > 2 * ventricles.min()
