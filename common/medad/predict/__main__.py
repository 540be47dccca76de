# SPDX-License-Identifier: Apache-2.0
"""Find anomalies in images: the friendly door over a bundle's inference.json.

Runs what ``monai.bundle run`` runs, with the same files as result, and ends with what was found.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..configuration import build, open_workflow, parse_paths, read_config, split_overrides
from ..engines import CohortError
from ..errors import CalibrationError, InputError, MedadError, find_medad_error
from ..files import read_csv

_OPTIONS = ("--bundle", "--out", "--overlay", "--device", "--resume", "--help")
_SAID_BY = {"dataset_dir": "INPUT", "output_dir": "--out", "bundle_root": "--bundle"}


def run(bundle: Path, overlays: Sequence[str], overrides: dict[str, Any]) -> MedadError | None:
    """Run ``inference.json`` of a bundle.

    Args:
        bundle: folder of the bundle.
        overlays: overlays to put on it.
        overrides: values by key, ``dataset_dir`` and ``output_dir`` among them.

    Returns:
        What is missing from the results that were written: cases that failed or, without a calibration, all masks.

    Raises:
        MedadError: if the run cannot be done at all.
    """
    build(read_config(bundle, "inference", overlays, overrides), "postprocessing")  # a wrong value ends the run here
    try:
        workflow = open_workflow(bundle, "inference", overlays, overrides)
        workflow.run()
        workflow.finalize()
    except Exception as error:
        known = find_medad_error(error)
        if known is None:
            raise
        if isinstance(known, (CohortError, CalibrationError)):
            return known
        raise known from None
    return None


def summary(out: Path) -> str:
    """Say in a few lines what a run found.

    Args:
        out: folder of the run.

    Returns:
        Counts of the cases, and where to look.
    """
    decisions = Counter(row["decision"] for row in read_csv(out / "scores.csv"))
    failed = len(read_csv(out / "failures.csv"))
    counts = {
        "abnormal": decisions["1"],
        "normal": decisions["0"],
        "without a decision": decisions[""],
        "failed (failures.csv)": failed,
    }
    found = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return (
        f"{decisions.total() + failed} cases: {found}\n"
        f"Report: {(out / 'report.html').resolve()}\n"
        f"Maps, masks, scores: {out.resolve()}"
    )


def _refuse_said_twice(overrides: Mapping[str, Any]) -> None:
    for key, argument in _SAID_BY.items():
        if key in overrides:
            raise InputError(
                f"--{key} given", where="command line", expected=argument, remedy=f"Say it with {argument} alone."
            )


def _speak_plainly() -> None:
    """Show medad's own messages only; MONAI and ignite say errors a second time."""
    logging.basicConfig(format="%(message)s")
    for name, level in (("medad", logging.INFO), ("monai", logging.ERROR), ("ignite", logging.CRITICAL)):
        logging.getLogger(name).setLevel(level)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the door.

    Args:
        arguments: the command line; that of the process by default.
    """
    parser = argparse.ArgumentParser(
        prog="python -m medad.predict",
        description=__doc__.splitlines()[0],
        epilog="Any other --KEY VALUE sets a key of inference.json, such as --image_false_positive_rate 0.1.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "input",
        metavar="INPUT",
        type=parse_paths,
        help="a file, a folder of images, DICOM series, or a data set; several as \"['a','b']\" or \"{'name':'a'}\"",
    )
    parser.add_argument("--bundle", type=Path, required=True, help="folder of a trained bundle")
    parser.add_argument("--out", type=Path, required=True, help="folder for everything that is written")
    parser.add_argument(
        "--overlay", action="append", default=[], help="overlay the weights were trained with, such as cpu; repeatable"
    )
    parser.add_argument("--device", help="such as cpu or cuda:1; CUDA by default if there is one")
    parser.add_argument("--resume", action="store_true", help="continue an interrupted run")
    try:
        own, overrides = split_overrides(sys.argv[1:] if arguments is None else arguments, _OPTIONS)
        given = parser.parse_args(own)
        _refuse_said_twice(overrides)
        overrides |= {"dataset_dir": given.input, "output_dir": str(given.out), "resume": given.resume}
        overrides |= {"device": given.device} if given.device else {}
        _speak_plainly()
        missing = run(given.bundle.expanduser(), given.overlay, overrides)
    except MedadError as error:
        sys.exit(f"error: {error}")
    print(summary(given.out))
    if missing is not None:
        sys.exit(f"error: {missing}")


if __name__ == "__main__":
    main()
