# SPDX-License-Identifier: Apache-2.0
"""Plot of the errors over the latent size, with the knee."""

from collections.abc import Sequence
from pathlib import Path

from .trials import Trial


def save_plot(path: Path, trials: Sequence[Trial], chosen: int) -> None:
    """Save the curves of a sweep as PNG.

    Args:
        path: file to write.
        trials: at least one.
        chosen: latent size to mark.
    """
    from matplotlib.figure import Figure  # the only place that needs it

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    sizes = [trial.latent_size for trial in trials]
    axes.plot(sizes, [trial.training_error for trial in trials], "o--", color="#8a8f98", label="training images")
    axes.plot(sizes, [trial.heldout_error for trial in trials], "o-", color="#1f6feb", label="held-out normal images")
    axes.axvline(chosen, color="#d1242f", linewidth=1, label=f"knee: {chosen}")
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("latent size")
    axes.set_ylabel("mean squared error")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
