# SPDX-License-Identifier: Apache-2.0
"""Batches and single items arrive in order, by as many processes as there is room for."""

import errno
from typing import Any

import pytest
import torch
from medad.loading.packing_loader import PackingLoader
from torch.utils.data import default_collate, default_convert

_ITEMS = [torch.full((2,), float(number)) for number in range(5)]


def _loader(batch_size: int | None, workers: int) -> PackingLoader:
    collate = default_convert if batch_size is None else default_collate
    return PackingLoader(_ITEMS, batch_size, collate, sampler=[4, 0, 2], num_workers=workers)  # type: ignore[arg-type]


def _seen(loader: PackingLoader) -> list[Any]:
    return [batch.tolist() for batch in loader]


@pytest.mark.parametrize(
    ("batch_size", "expected"), [(None, [[4, 4], [0, 0], [2, 2]]), (2, [[[4, 4], [0, 0]], [[2, 2]]])]
)
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_and_items_arrive_in_order(batch_size: int | None, expected: list[Any], workers: int) -> None:
    assert _seen(_loader(batch_size, workers)) == expected


@pytest.mark.parametrize("batch_size", [None, 2])
def test_without_room_for_processes_there_are_none(
    batch_size: int | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(self: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    expected = _seen(_loader(batch_size, 0))
    monkeypatch.setattr("torch.utils.data.dataloader._MultiProcessingDataLoaderIter.__init__", lambda *_: full(None))
    monkeypatch.setattr("torch.utils.data.dataloader._MultiProcessingDataLoaderIter.__del__", lambda *_: None)
    assert _seen(_loader(batch_size, 2)) == expected
    assert "/dev/shm) is full" in caplog.text and "one after the other" in caplog.text


def test_other_errors_of_a_start_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError(errno.EPERM, "not allowed")

    monkeypatch.setattr("torch.utils.data.dataloader._MultiProcessingDataLoaderIter.__init__", refused)
    monkeypatch.setattr("torch.utils.data.dataloader._MultiProcessingDataLoaderIter.__del__", lambda *_: None)
    with pytest.raises(PermissionError, match="not allowed"):
        list(_loader(2, 2))
