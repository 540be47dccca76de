# SPDX-License-Identifier: Apache-2.0
"""Which cases of a cohort are still to do."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist

from ..keys import Keys
from .files import read_csv

_logger = logging.getLogger(__name__)


def unfinished(
    datalist: Sequence[dict[str, Any]], output_dir: str | Path, resume: bool, pred_name: str = "mask"
) -> list[dict[str, Any]]:
    """Leave out the cases that an earlier run has finished.

    A case is finished if it has a row with a score in ``scores.csv`` and its folder holds its mask.

    Args:
        datalist: cases of the cohort.
        output_dir: folder of the run.
        resume: whether to continue the earlier run; otherwise all cases are to do.
        pred_name: what :class:`CaseSaver` calls the mask.

    Returns:
        Cases still to do, in the order given.
    """
    if not resume:
        return list(datalist)
    folder = Path(output_dir)
    scored = {row["case"] for row in read_csv(folder / "scores.csv")}
    todo = [
        item
        for item in datalist
        if item[Keys.CASE] not in scored or not any((folder / item[Keys.CASE]).glob(f"{item[Keys.CASE]}_{pred_name}.*"))
    ]
    todo = idist.all_gather(todo)[0]  # one list for all ranks, made before any of them writes
    _logger.info("resume: %d of %d cases are finished", len(datalist) - len(todo), len(datalist))
    return todo
