# SPDX-License-Identifier: Apache-2.0
"""Remaining cases of a cohort, when a run is continued."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist

from ..files import read_csv
from ..keys import Keys
from ..loading import loader_batch_size

_logger = logging.getLogger(__name__)


def unfinished(
    datalist: Sequence[dict[str, Any]],
    output_dir: str | Path,
    resume: bool,
    pred_name: str = "mask",
    batch_size: int = 1,
    spatial_dims: int = 2,
) -> list[dict[str, Any]]:
    """Leave out the cases that an earlier run has finished.

    A case is finished if it has a row with a score in ``scores.csv``, its folder holds its mask, and ``failures.csv``
    says nothing about it. Cases of one batch are done again together: the last bits of a map depend on the size of its
    batch, and a resumed run gives what an uninterrupted one gives.

    Args:
        datalist: cases of the cohort.
        output_dir: folder of the run.
        resume: whether to continue the earlier run; otherwise all cases are to do.
        pred_name: what :class:`CaseSaver` calls the mask.
        batch_size: images per batch, as the loader of the cases gets it.
        spatial_dims: spatial axes of the network, as the loader gets it.

    Returns:
        Cases still to do, in the order given.
    """
    if not resume:
        return list(datalist)
    folder = Path(output_dir)
    scored = {row["case"] for row in read_csv(folder / "scores.csv")}
    scored -= {row["case"] for row in read_csv(folder / "failures.csv")}
    size = loader_batch_size(datalist, batch_size, spatial_dims) * idist.get_world_size()
    batches = [datalist[start : start + size] for start in range(0, len(datalist), size)]
    begun = [batch for batch in batches if not all(_is_finished(item, folder, scored, pred_name) for item in batch)]
    todo = [item for batch in begun for item in batch]
    todo = idist.all_gather(todo)[0]  # one list for all ranks, made before any of them writes
    _logger.info("resume: %d of %d cases are finished", len(datalist) - len(todo), len(datalist))
    return todo


def _is_finished(item: dict[str, Any], folder: Path, scored: set[str], pred_name: str) -> bool:
    case = item[Keys.CASE]
    return case in scored and any((folder / case).glob(f"{case}_{pred_name}.*"))
