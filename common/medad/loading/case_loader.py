# SPDX-License-Identifier: Apache-2.0
"""Loader of cohorts: batches of images of one grid, while masks keep their own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch

from ..datalists.items import FAILURE
from ..keys import Keys
from .batch_size import loader_batch_size
from .case_dataset import FAILURES, CaseDataset
from .finished_cases import unfinished_cases
from .packing_loader import PackingLoader

CASES = "cases"
"""Entry of a batch: the items of the cases in it."""


def collate_cases(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Stack the images of the cases that succeeded; keep everything else of a case with the case.

    Truth masks stay on the grids of their files, so they have shapes of their own and normal cases have none.

    Args:
        items: what :class:`CaseDataset` returned.

    Returns:
        ``"image"``: ``(B, C, *spatial)`` (absent if all cases failed, or their images differ in shape), ``"cases"``:
        the items of these images, ``"failures"``: the failure records.
    """
    cases = [item for item in items if FAILURE not in item]
    batch: dict[str, Any] = {CASES: cases, FAILURES: [dict(item) for item in items if FAILURE in item]}
    if len(cases_by_shape(cases)) == 1:
        images = [case[Keys.IMAGE] for case in cases]
        batch[Keys.IMAGE] = torch.stack([image.as_subclass(torch.Tensor) for image in images])
    return batch


def cases_by_shape(cases: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Part cases by the shape of their images, each part in order; nobody knows the pages of some files beforehand."""
    parts: dict[tuple[int, ...], list[dict[str, Any]]] = {}
    for case in cases:
        parts.setdefault(tuple(case[Keys.IMAGE].shape), []).append(case)
    return list(parts.values())


class CaseLoader(PackingLoader):
    """Load the cases of a cohort in order; in a distributed run each rank loads its own share, none twice.

    Args:
        dataset: cases of the cohort.
        batch_size: images per batch; 1 is used where a 2D network meets volumes, which differ in depth.
        spatial_dims: spatial axes of the network.
        num_workers: processes that load.
        resume_from: folder of an earlier run whose finished batches are left out; ``None`` loads all cases.
        pred_name: what the earlier run called its masks.

    Attributes:
        finished: names of the cases that are left out.
    """

    dataset: CaseDataset

    def __init__(
        self,
        dataset: CaseDataset,
        batch_size: int,
        spatial_dims: int,
        num_workers: int = 0,
        resume_from: str | Path | None = None,
        pred_name: str = "mask",
    ) -> None:
        batch_size = loader_batch_size(dataset.data, batch_size, spatial_dims)
        cases: Sequence[int] = range(len(dataset))
        if resume_from is not None:
            cases = unfinished_cases(dataset.data, resume_from, batch_size, pred_name)
        left = set(cases)
        self.finished = {item[Keys.CASE] for index, item in enumerate(dataset.data) if index not in left}
        share = list(cases[idist.get_rank() :: idist.get_world_size()])
        workers = min(num_workers, len(share))
        super().__init__(dataset, batch_size, collate_cases, sampler=share, num_workers=workers)
