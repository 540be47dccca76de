# SPDX-License-Identifier: Apache-2.0
"""Find anomalies in images: the friendly door over a bundle's inference.json.

Runs what ``monai.bundle run`` runs, with the same files as result, and ends with what was found.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..command_line import door, door_parser, parse_with_keys
from ..configuration import build, open_workflow, parse_paths, read_config
from ..engines import CohortError
from ..errors import CalibrationError, InputError, MedadError, unwrap_errors
from ..files import read_csv, user_path

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
        with unwrap_errors():
            workflow = open_workflow(bundle, "inference", overlays, overrides)
            workflow.run()
            workflow.finalize()
    except (CohortError, CalibrationError) as error:
        return error
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the door.

    Args:
        arguments: the command line; that of the process by default.
    """
    parser = door_parser("predict", __doc__, "inference.json, such as --image_false_positive_rate 0.1")
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
    parser.add_argument("--overwrite", action="store_true", help="replace the run that --out holds")
    parser.add_argument("--anonymous", action="store_true", help="tables that name no files")
    with door():
        given, overrides = parse_with_keys(parser, arguments)
        _refuse_said_twice(overrides)
        overrides |= {"dataset_dir": given.input, "output_dir": str(given.out), "resume": given.resume}
        # releases until 0.1 have no such keys
        overrides |= {name: True for name in ("overwrite", "anonymous") if getattr(given, name)}
        overrides |= {"device": given.device} if given.device else {}
        missing = run(user_path(given.bundle), given.overlay, overrides)
    print(summary(given.out))
    if missing is not None:
        sys.exit(f"error: {missing}")


if __name__ == "__main__":
    main()
