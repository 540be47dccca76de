# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest
from medad.latent_size.plot import save_plot
from medad.latent_size.trials import Trial
from PIL import Image

TRIALS = [Trial(1, 0.4, 0.5), Trial(4, 0.2, 0.3), Trial(16, 0.1, 0.28)]
BLUE, RED = (31, 111, 235), (209, 36, 47)


def _columns(path: Path, color: tuple[int, int, int]) -> np.ndarray:
    """Columns of the part with the curves, without its legend, in which a color is drawn."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    near = (np.abs(pixels - color).sum(axis=-1) < 30).sum(axis=0)
    return np.flatnonzero(near > near.max() * 0.5)


@pytest.mark.parametrize("trials", [TRIALS, TRIALS[:1]])
def test_a_picture_is_written(trials: list[Trial], tmp_path: Path) -> None:
    save_plot(tmp_path / "a.png", trials, trials[-1].latent_size)
    assert Image.open(tmp_path / "a.png").size == (960, 600)


def test_the_line_stands_at_the_chosen_size(tmp_path: Path) -> None:
    places = []
    for size in (1, 4, 16):
        save_plot(tmp_path / "a.png", TRIALS, size)
        places.append(_columns(tmp_path / "a.png", RED).mean())
    assert places[2] - places[1] == pytest.approx(places[1] - places[0], rel=0.02)  # a logarithmic axis


def test_errors_move_the_curves(tmp_path: Path) -> None:
    pictures = []
    for heldout in (0.28, 0.45):
        save_plot(tmp_path / "a.png", [*TRIALS[:2], Trial(16, 0.1, heldout)], 4)
        pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
        rows, columns = np.nonzero(np.abs(pixels - BLUE).sum(axis=-1) < 30)
        right = columns > 0.9 * columns.max()
        pictures.append(rows[right].max())
    assert pictures[1] < pictures[0]  # higher up
