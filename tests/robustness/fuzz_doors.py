# SPDX-License-Identifier: Apache-2.0
"""The fuzzer of doors: ``fuzz_doors.py names|lists|calibrations COUNT SEED MODELS FOLDER``.

MODELS holds ``model.pt`` and ``calibration.json`` of a bundle that was trained with smoke.json. Every input has one of
two ends: a right result, or one clear error; cases that can be judged are judged, the others stand in failures.csv.
The last line counts them; each input that ends otherwise has a line before it, and the exit status is then 1.
"""

import contextlib
import csv
import faulthandler
import io
import json
import logging
import math
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bundle_tools import ROOT
from calibration_mutations import damaged_calibration
from good_files import head
from list_mutations import damaged_list
from medad.configuration import open_workflow
from medad.errors import find_medad_error
from medad.explanations import explain
from medad.predict.__main__ import main as predict
from name_mutations import strange_name
from PIL import Image

Random = np.random.Generator
BUNDLE = ROOT / "bundles" / "denoising_autoencoder"
SECONDS = 60.0
UNCLEAR = re.compile(r"Traceback|\b[A-Z]\w+(Error|Exception|Warning)\b(?!\w*\.png): ")
COHORT = 25


@dataclass
class Outcome:
    """How one input ended.

    Attributes:
        kind: ``"result"``, ``"error"``, or ``"fault"`` for anything else.
        text: the error, or what is wrong.
    """

    kind: str
    text: str = ""


def outcome_of(run: Callable[[], None], results: Callable[[], str]) -> Outcome:
    """Run a door and judge its end.

    Args:
        run: the door.
        results: says what is wrong with what it has written; nothing if all is right.
    """
    faulthandler.dump_traceback_later(SECONDS, exit=True, file=sys.__stderr__)
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            run()
        wrong = results()
        return Outcome("fault", wrong) if wrong else Outcome("result")
    except SystemExit as end:
        text = str(end.code)
        is_clear = text.startswith("error: ") and not UNCLEAR.search(text)
        wrong = results() if "cases failed" in text else ""
        return Outcome("error", text) if is_clear and not wrong else Outcome("fault", wrong or text)
    except Exception as error:
        known = find_medad_error(error) or explain(error)
        if known is None or UNCLEAR.search(str(known)):
            return Outcome("fault", f"{type(error).__name__}: {error}"[:2000])
        return Outcome("error", str(known))
    finally:
        faulthandler.cancel_dump_traceback_later()


def wrong_results(out: Path, cases: int | None = None, maps: bool = True) -> str:
    """Say what is wrong with the folder of a run; nothing if all is right.

    Args:
        out: the folder.
        cases: how many there must be.
        maps: whether each case has a folder of its own, as an evaluation has none.
    """
    tables = {}
    for name in ("scores.csv", "failures.csv"):
        if not (out / name).is_file():
            return f"no {name}"
        with (out / name).open(newline="", encoding="utf-8") as file:
            tables[name] = list(csv.DictReader(file))
    scores, failures = tables["scores.csv"], tables["failures.csv"]
    names = [row["case"] for row in scores + failures]
    if len(set(names)) < len(names) or (cases is not None and len(names) != cases):
        return f"{len(names)} rows of {len(set(names))} cases for {cases}"
    unclear = [row["failure"] for row in failures if UNCLEAR.search(row["failure"])]
    if unclear:
        return unclear[0]
    for row in scores:
        if not math.isfinite(float(row["score"])) or (maps and not (out / row["case"]).is_dir()):
            return f"no result of {row['case']!r}"
        if row["p_value"] and not 0 < float(row["p_value"]) <= 1:
            return f"p-value {row['p_value']}"
    return "" if (out / "report.html").is_file() else "no report"


@dataclass(frozen=True)
class Doors:
    """The doors, with a trained model.

    Attributes:
        models: holds ``model.pt`` and ``calibration.json``.
        folder: for everything that is written.
    """

    models: Path
    folder: Path

    def infer(self, data: str, out: str, *options: str, calibration: Path | None = None) -> None:
        """``python -m medad.predict``."""
        paths = ("--ckpt_path", self.models / "model.pt")
        paths += ("--calibration_path", calibration or self.models / "calibration.json")
        fixed = ("--bundle", BUNDLE, "--overlay", "smoke", "--num_workers", "0", "--dicom_output", "false")
        predict([data, "--out", out, *map(str, (*fixed, *paths)), *options])

    def evaluate(self, data: str, out: str) -> None:
        """Evaluation of the bundle."""
        paths = {"ckpt_path": self.models / "model.pt", "calibration_path": self.models / "calibration.json"}
        values = {"dataset_dir": data, "output_dir": out, "num_workers": 0, "device": "cpu", **paths}
        open_workflow(BUNDLE, "train", ["evaluate", "smoke"], values).run()


def write_picture(path: Path, number: int = 0) -> None:
    """Write a picture, different for every number."""
    pixels = head(40, 32, dtype=np.uint8)
    pixels[5 + number % 30, 5 + number // 30 % 20] = 255 - number % 7
    with path.open("wb") as file:  # Pillow chooses by suffix, and not every name has one
        Image.fromarray(pixels).save(file, "PNG")


def fuzz_names(doors: Doors, count: int, seed: int) -> Iterator[tuple[str, Outcome]]:
    """Files and folders of strange names: in cohorts, and alone where they are named on the command line."""
    number = 0
    while number < count:
        random = np.random.default_rng([seed, number])
        root = doors.folder / f"{number:05d}"
        inner = root / strange_name(random)
        inner.mkdir(parents=True)
        alone = number % (2 * COHORT) >= COHORT
        names = {strange_name(random) for _ in range(1 if alone else min(COHORT, count - number))}
        for index, name in enumerate(sorted(names, key=os.fsencode)):
            write_picture(inner / f"{name}.png", number + index)
        kept = [name for name in names if not _is_passed_over(name)]
        out = doors.folder / "out"
        given = inner / f"{next(iter(names))}.png" if alone and random.random() < 0.5 else inner
        cases = 1 if given != inner else len(kept)
        if alone:
            out = out / strange_name(random)
        os.chdir(root)
        data = os.path.relpath(given) if random.random() < 0.5 else str(given)
        data = f"./{data}" if data.startswith("--") else data  # as anywhere, two dashes begin an option

        def run(data: str = data, out: Path = out) -> None:
            doors.infer(data, str(out))

        def results(out: Path = out, cases: int = cases) -> str:
            return wrong_results(out, cases)

        outcome = outcome_of(run, results)
        if outcome.kind == "error" and cases:
            outcome = Outcome("fault", f"an image that can be read: {outcome.text}")
        yield repr(data), outcome
        os.chdir(doors.folder)
        for path in (root, doors.folder / "out"):
            shutil.rmtree(os.fsencode(path), ignore_errors=True)
        number += len(names)


def _is_passed_over(name: str) -> bool:
    return name.startswith((".", "__")) or name.lower().endswith(("_mask", "_seg"))


def good_list(folder: Path) -> dict[str, Any]:
    """Write pictures, and give an intact data list of them."""
    for number in range(12):
        write_picture(folder / f"{number}.png", number)
    mask = np.zeros((40, 32), np.uint8)
    mask[10:20, 10:20] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    Image.fromarray(head(40, 32, dtype=np.uint8)).convert("L").point(lambda value: 255).save(folder / "all.png")
    return {
        "training": [{"image": f"{number}.png", "subject_id": f"s{number}"} for number in range(2)],
        "training_abnormal": [{"image": "2.png", "mask": "mask.png"}],
        "validation": [{"image": "3.png", "label": 0}, {"image": "4.png", "label": 1, "circles": [[15, 20, 4]]}],
        "calibration": [{"image": "5.png", "label": 0, "case": "held_out", "foreground": "all.png"}],
        "test": [
            {"image": "6.png", "label": 0, "subject_id": "a"},
            {"image": "7.png", "label": 0, "subject_id": "a", "mask": ""},
            {"image": "8.png", "label": 1, "subject_id": "b", "mask": "mask.png", "foreground": "all.png"},
            {"image": "9.png", "label": 1, "circles": [[15, 20, 4], [12.5, 14, 0]], "case": "marked"},
        ],
        "inference": [{"image": "10.png"}, {"image": ["11.png"], "case": "last"}],
    }


def fuzz_lists(doors: Doors, count: int, seed: int) -> Iterator[tuple[str, Outcome]]:
    """Damaged data lists: inference and evaluation take turns."""
    data = doors.folder / "data"
    data.mkdir()
    content, out = good_list(data), doors.folder / "out"
    os.chdir(doors.folder)
    for number in range(count):
        done, text = damaged_list(content, np.random.default_rng([seed, number]))
        (data / "datalist.json").write_bytes(text)
        infers = number % 2 == 1

        def run(infers: bool = infers) -> None:
            (doors.infer if infers else doors.evaluate)(str(data), str(out))

        yield f"{number} {done}", outcome_of(run, lambda infers=infers: wrong_results(out, maps=infers))
        shutil.rmtree(out, ignore_errors=True)


def fuzz_calibrations(doors: Doors, count: int, seed: int) -> Iterator[tuple[str, Outcome]]:
    """Damaged calibrations, of one data set and with groups in turn; map and score are there in any case."""
    os.chdir(doors.folder)
    content = json.loads((doors.models / "calibration.json").read_text())
    own = {key: value for key, value in content.items() if key not in ("format", "medad_version", "weights_sha256")}
    own.pop("settings")
    grouped = {**content, "groups": {name: own for name in ("a", "b")}}
    write_picture(doors.folder / "image.png")
    path, out = doors.folder / "calibration.json", doors.folder / "out"
    for number in range(count):
        done, text = damaged_calibration((content, grouped)[number % 2], np.random.default_rng([seed, number]))
        path.write_bytes(text)
        data = "{'a': 'image.png'}" if number % 2 else "image.png"
        outcome = outcome_of(
            lambda data=data: doors.infer(data, str(out), calibration=path), lambda: wrong_results(out, 1)
        )
        if outcome.kind == "error":
            wrong = wrong_results(out, 1)
            outcome = Outcome("fault", f"{wrong} behind: {outcome.text}") if wrong else outcome
        yield f"{number} {done}", outcome
        shutil.rmtree(out, ignore_errors=True)


INPUTS: dict[str, Callable[[Doors, int, int], Iterator[tuple[str, Outcome]]]] = {
    "names": fuzz_names,
    "lists": fuzz_lists,
    "calibrations": fuzz_calibrations,
}


def main(name: str, count: int, seed: int, models: Path, folder: Path) -> int:
    """Try inputs of one kind and tell their ends; give the number of faults."""
    logging.disable(logging.CRITICAL)
    folder.mkdir(parents=True)
    before = Path.cwd()
    ends: Counter[str] = Counter()
    try:
        for label, outcome in INPUTS[name](Doors(models.resolve(), folder.resolve()), count, seed):
            ends[outcome.kind] += 1
            if outcome.kind == "fault":
                sys.stdout.write(f"{label}: {outcome.text}\n".encode("utf-8", "backslashreplace").decode())
    finally:
        os.chdir(before)
        logging.disable(logging.NOTSET)
    if any(folder.rglob("ran")):
        ends["fault"] += 1
        sys.stdout.write("a value was run as code\n")
    told = ", ".join(f"{number} {kind}s" for kind, number in sorted(ends.items()))
    sys.stdout.write(f"{count} {name}, seed {seed}, {ends.total()} runs: {told}\n")
    return ends["fault"]


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), Path(sys.argv[5]))))
