# SPDX-License-Identifier: Apache-2.0
"""Finished cases: which batches of a cohort an earlier run has left to do."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist

from ..errors import InputError
from ..files import read_csv
from .batch_size import loader_batch_size
from .case_fingerprint import case_fingerprints
from .earlier_run import RUN_FILE, EarlierRun, read_earlier_run

_logger = logging.getLogger(__name__)


def unfinished_cases(
    datalist: Sequence[dict[str, Any]], output_dir: str | Path, batch_size: int, pred_name: str = "mask"
) -> list[int]:
    """Leave out the cases that an earlier run has finished.

    A case is finished if ``run.json`` names it, it has a row with a score in ``scores.csv``, its folder holds its mask,
    and ``failures.csv`` says nothing about it. Cases of one batch are done again together, also where the earlier run
    had other batches: the last bits of a map depend on its batch, and a resumed run gives what an uninterrupted one
    gives.

    Args:
        datalist: cases of the cohort; there may be more than the earlier run had.
        output_dir: folder of the earlier run.
        batch_size: images per batch and process.
        pred_name: what the mask is called there.

    Returns:
        Positions of the cases still to do, the same on every rank.

    Raises:
        InputError: if a finished case is missing, or was made from other files: its results would be wrong ones.
    """
    todo = idist.all_gather(_to_do(datalist, Path(output_dir), batch_size, pred_name))[0]  # before any rank writes
    _logger.info("resume: %d of %d cases are finished", len(datalist) - len(todo), len(datalist))
    return todo


def _to_do(datalist: Sequence[dict[str, Any]], folder: Path, batch_size: int, pred_name: str) -> list[int]:
    earlier = read_earlier_run(folder)
    if earlier is None:
        return list(range(len(datalist)))
    now = EarlierRun(earlier.settings, case_fingerprints(datalist), batch_size, idist.get_world_size())
    finished = _finished(earlier, folder, pred_name)
    _require_same_files(finished, now.cases, folder)
    same_sizes = (earlier.batch_size, earlier.processes) == (now.batch_size, now.processes)
    known = set(earlier.shares()) if same_sizes else set()
    position = {case: index for index, case in enumerate(now.cases)}
    return [
        position[case]
        for share in now.shares()
        if share not in known or not finished.keys() >= set(share)
        for case in share
    ]


def _finished(earlier: EarlierRun, folder: Path, pred_name: str) -> dict[str, str]:
    scored = {row["case"] for row in read_csv(folder / "scores.csv")}
    scored -= {row["case"] for row in read_csv(folder / "failures.csv")}
    return {
        case: fingerprint
        for case, fingerprint in earlier.cases.items()
        if case in scored and any((folder / case).glob(f"{case}_{pred_name}.*"))
    }


def _require_same_files(finished: Mapping[str, str], now: Mapping[str, str], folder: Path) -> None:
    for case, fingerprint in finished.items():
        if now.get(case) != fingerprint:
            gone = case not in now
            raise InputError(
                f"the case {case!r} is finished, but {'gone from the data' if gone else 'its files are others now'}",
                where=folder / RUN_FILE,
                expected="the files that finished cases were made from, unchanged and at the same path",
                remedy=f"{'Put it back' if gone else 'Restore them; new images need names of their own'}; or begin "
                "anew, with overwrite or in another output_dir.",
            )


def unfinished(
    datalist: Sequence[dict[str, Any]],
    output_dir: str | Path,
    resume: bool,
    pred_name: str = "mask",
    batch_size: int = 1,
    spatial_dims: int = 2,
) -> list[dict[str, Any]]:
    """Give the cases of :func:`unfinished_cases` themselves, as releases until 1.0 may ask for them."""
    if not resume:
        return list(datalist)
    size = loader_batch_size(datalist, batch_size, spatial_dims)
    return [datalist[index] for index in unfinished_cases(datalist, output_dir, size, pred_name)]
