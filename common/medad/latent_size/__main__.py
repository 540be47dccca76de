# SPDX-License-Identifier: Apache-2.0
"""Choose the latent size of an autoencoder on normal images alone: train a grid of sizes, find the knee."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..command_line import door, door_parser, parse_with_keys
from ..configuration import parse_paths
from ..errors import InputError
from ..files import user_path, write_csv
from .knee_point import knee
from .plot import save_plot
from .trials import Trial, sweep

_DEFAULT_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


def run(
    bundle: Path,
    dataset_dir: str | list[str] | dict[str, str],
    out: Path,
    sizes: Sequence[int],
    overlays: Sequence[str],
    overrides: dict[str, Any],
) -> tuple[list[Trial], int]:
    """Sweep, find the knee, and write ``latent_size.csv`` and ``latent_size.png``.

    Args:
        bundle: folder of the bundle.
        dataset_dir: data set, or several, with normal images for training and calibration.
        out: folder for everything that is written.
        sizes: at least 3 latent sizes, rising.
        overlays: overlays of the bundle.
        overrides: further values by key.

    Returns:
        The trials, and the chosen size.

    Raises:
        InputError: if the sizes, the bundle or the data cannot be used.
    """
    if len(sizes) < 3 or list(sizes) != sorted(set(sizes)) or sizes[0] < 1:
        raise InputError(
            f"{' '.join(map(str, sizes))} given",
            where="--sizes",
            expected="at least 3 rising numbers, from 1",
            remedy="Leave it out for 1 2 4 8 16 32 64 128.",
        )
    trials: list[Trial] = []
    for trial in sweep(bundle, sizes, overlays, {**overrides, "dataset_dir": dataset_dir}, out):
        trials.append(trial)
        print(
            f"latent size {trial.latent_size:4d}: error {trial.training_error:.6f} on training images, "
            f"{trial.heldout_error:.6f} on held-out ones",
            flush=True,
        )
        # what is measured is kept, whatever happens to the next size
        write_csv(out / "latent_size.csv", list(asdict(trial)), [asdict(done) for done in trials])
    chosen = knee([trial.latent_size for trial in trials], [trial.heldout_error for trial in trials])
    save_plot(out / "latent_size.png", trials, chosen)
    return trials, chosen


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the door.

    Args:
        arguments: the command line; that of the process by default.
    """
    parser = door_parser("latent_size", __doc__, "train.json, such as --max_epochs 50")
    parser.add_argument("--bundle", type=Path, required=True, help="folder of the bundle of an autoencoder")
    parser.add_argument("--dataset_dir", required=True, type=parse_paths, help="data set with normal images")
    parser.add_argument("--out", type=Path, required=True, help="folder for everything that is written")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(_DEFAULT_SIZES), help="latent sizes, rising")
    parser.add_argument("--overlay", action="append", default=[], help="overlay, such as cpu; repeatable")
    parser.add_argument("--resume", action="store_true", help="keep the sizes that an interrupted run has trained")
    with door():
        given, overrides = parse_with_keys(parser, arguments)
        overrides["resume"] = given.resume
        _, chosen = run(user_path(given.bundle), given.dataset_dir, given.out, given.sizes, given.overlay, overrides)
    if chosen in (given.sizes[0], given.sizes[-1]):
        print("\nThe curve has no bend between these sizes: look at the plot, and widen --sizes.")
    print(f"\nKnee: --latent_size {chosen}\nTable and plot: {given.out.resolve() / 'latent_size.csv'}, latent_size.png")


if __name__ == "__main__":
    main()
