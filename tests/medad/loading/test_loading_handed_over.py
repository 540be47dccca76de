# SPDX-License-Identifier: Apache-2.0
"""Batches arrive from loading processes as they were made, with and without room in the shared memory."""

from typing import Any

import numpy as np
import pytest
import torch
from medad.loading import CaseDataset, CaseLoader, handed_over
from medad.loading.handed_over import Packed, PackInWorkers
from monai.data import MetaTensor


def _load(item: dict[str, Any]) -> dict[str, Any]:
    if item["case"] == "2":
        raise ValueError("torn")
    image = MetaTensor(torch.full((1, 3, 3), float(item["case"])), affine=torch.eye(4) * 2, meta={"note": "x"})
    return {**item, "image": image, "array": np.arange(3)}


def _loader(workers: int) -> CaseLoader:
    items = [{"case": str(number), "image": f"{number}.png"} for number in range(5)]
    return CaseLoader(CaseDataset(items, _load), 2, 2, num_workers=workers)


def _seen(loader: CaseLoader) -> list[Any]:
    batches = []
    for batch in loader:
        cases = [(case["case"], case["image"].sum().item(), case["image"].meta["note"]) for case in batch["cases"]]
        assert all(isinstance(case["image"], MetaTensor) and case["image"].affine[0, 0] == 2 for case in batch["cases"])
        batches.append((cases, [failure["case"] for failure in batch["failures"]], batch["image"].shape[0]))
    return batches


def test_processes_give_what_one_process_gives() -> None:
    assert _seen(_loader(2)) == _seen(_loader(0)) and len(_seen(_loader(2))) == 3


def test_a_full_shared_memory_is_gone_around(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def full(batch: Any) -> None:
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")

    expected = _seen(_loader(0))
    monkeypatch.setattr(handed_over.ForkingPickler, "dumps", full)
    packed = handed_over._packed({"image": torch.ones(2)})
    assert packed.by_value and torch.equal(packed.unpacked()["image"], torch.ones(2))
    monkeypatch.setattr(handed_over, "get_worker_info", lambda: "a worker")
    loader = _loader(0)
    assert _seen(loader) == expected
    assert caplog.text.count("through a pipe, which is slower") == 1


def test_nothing_is_packed_in_the_process_itself() -> None:
    assert PackInWorkers(list)((1, 2)) == [1, 2]
    assert Packed(b"\x80\x04K\x05.", by_value=True).unpacked() == 5
