# SPDX-License-Identifier: Apache-2.0
"""Kill training and inference of a bundle at random moments and resume: ``kill_and_resume.py BUNDLE DATA FOLDER SEED``.

Everything ends as in a run that nobody killed, or an assertion says what does not. The last line counts the kills.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from bundle_tools import build, fails_with
from killing import Moment, run_forked
from medad.engines import CohortError

KILLS = 10
BATCH = 3


def main(bundle: Path, data: Path, folder: Path, seed: int) -> None:
    """Kill and compare."""
    random = np.random.default_rng(seed)
    models = folder / "uninterrupted" / "models"

    def train(out: Path) -> None:
        models = {"ckpt_dir": out, "ckpt_path": out / "model.pt", "calibration_path": out / "calibration.json"}
        build(
            bundle, "train smoke", dataset_dir=data, output_dir=out / "log", max_epochs=6, resume=True, **models
        ).run()

    def infer(out: Path) -> None:
        weights = {"ckpt_path": models / "model.pt", "calibration_path": models / "calibration.json"}
        with fails_with(CohortError, "2 of"):  # images of the cohort are broken
            build(
                bundle,
                "inference smoke",
                "infer",
                dataset_dir=folder / "cohort",
                output_dir=out,
                resume=True,
                batch_size=BATCH,
                **weights,
            ).run()

    _write_cohort(folder / "cohort", data)
    for name, work, compare in (("models", train, same_training), ("results", infer, same_results)):
        kills = kill_repeatedly(work, folder / "uninterrupted" / name, folder / name, compare, random)
        sys.stdout.write(f"{name}: {kills} kills\n")


def kill_repeatedly(
    work: Callable[[Path], None],
    reference: Path,
    folder: Path,
    compare: Callable[[Path, Path], None],
    random: np.random.Generator,
) -> int:
    """Kill work ``KILLS`` times and more, resume each time, and compare whenever it comes to its end."""
    whole = run_forked(lambda: work(reference), reference)
    kills = 0
    while kills < KILLS:
        shutil.rmtree(folder, ignore_errors=True)
        killed = True
        while killed:
            if random.random() < 0.7:
                moment = Moment(change=int(random.integers(1, max(2, whole.changes // 3))))
            else:
                moment = Moment(seconds=float(random.uniform(0.3, 1.0) * whole.seconds))
            killed = run_forked(lambda: work(folder), folder, moment).killed
            kills += killed
        compare(reference, folder)
    return kills


def same_training(reference: Path, folder: Path) -> None:
    """Compare weights, training state and calibration, and look for leftovers."""
    for name in ("model.pt", "training_state.pt"):
        first, second = (torch.load(path / name, weights_only=True) for path in (reference, folder))
        _require_equal(first, second, name)
    assert (reference / "calibration.json").read_bytes() == (folder / "calibration.json").read_bytes()
    assert not [path for path in folder.rglob("*") if ".partial" in path.name]


def same_results(reference: Path, folder: Path) -> None:
    """Compare all files of all cases and both tables, and look for leftovers; reports differ in what they show."""
    shown = {"report.html", "cases.png"}
    names, found = ({str(path.relative_to(root)) for path in root.rglob("*")} - shown for root in (reference, folder))
    assert names == found, names ^ found
    for name in sorted(names):
        if (reference / name).is_file():
            assert (reference / name).read_bytes() == (folder / name).read_bytes(), name


def _require_equal(first: object, second: object, where: str) -> None:
    assert type(first) is type(second), where
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second), where
    elif isinstance(first, dict):
        assert list(first) == list(second), where
        for key in first:
            _require_equal(first[key], second[key], f"{where} {key}")
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second), where
        for index, pair in enumerate(zip(first, second, strict=True)):
            _require_equal(*pair, f"{where} {index}")
    else:
        assert first == second, where


def _write_cohort(folder: Path, data: Path) -> None:
    """Ten pictures, two of one batch broken."""
    folder.mkdir()
    pictures = sorted(data.rglob("*.png"))[:10]
    for number, path in enumerate(pictures):
        shutil.copy(path, folder / f"{number}.png")
    (folder / "1.png").write_bytes(b"no picture")
    (folder / "2.png").write_bytes((folder / "0.png").read_bytes()[:300])


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
