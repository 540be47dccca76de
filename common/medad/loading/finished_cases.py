# SPDX-License-Identifier: Apache-2.0
"""Finished cases: which batches of a cohort an earlier run has left to do."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist

from ..files import read_csv
from ..keys import Keys
from .batch_size import loader_batch_size

_logger = logging.getLogger(__name__)


def unfinished_cases(
    datalist: Sequence[dict[str, Any]], output_dir: str | Path, batch_size: int, pred_name: str = "mask"
) -> list[int]:
    """Leave out the cases that an earlier run has finished.

    A case is finished if it has a row with a score in ``scores.csv``, its folder holds its mask, and ``failures.csv``
    says nothing about it. Cases of one batch are done again together: the last bits of a map depend on the size of its
    batch, and a resumed run gives what an uninterrupted one gives.

    Args:
        datalist: cases of the cohort.
        output_dir: folder of the earlier run.
        batch_size: images per batch and process.
        pred_name: what the mask is called there.

    Returns:
        Positions of the cases still to do, the same on every rank.
    """
    folder = Path(output_dir)
    scored = {row["case"] for row in read_csv(folder / "scores.csv")}
    scored -= {row["case"] for row in read_csv(folder / "failures.csv")}
    size = batch_size * idist.get_world_size()
    batches = [range(start, min(start + size, len(datalist))) for start in range(0, len(datalist), size)]
    todo = [
        index
        for batch in batches
        if not all(_is_finished(datalist[index], folder, scored, pred_name) for index in batch)
        for index in batch
    ]
    todo = idist.all_gather(todo)[0]  # one list for all ranks, made before any of them writes
    _logger.info("resume: %d of %d cases are finished", len(datalist) - len(todo), len(datalist))
    return todo


def _is_finished(item: dict[str, Any], folder: Path, scored: set[str], pred_name: str) -> bool:
    case = item[Keys.CASE]
    return case in scored and any((folder / case).glob(f"{case}_{pred_name}.*"))


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
