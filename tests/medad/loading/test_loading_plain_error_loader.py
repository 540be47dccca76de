# SPDX-License-Identifier: Apache-2.0
"""Errors for the user leave loading processes unchanged; everything else is as with MONAI's loader."""

import multiprocessing
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from medad.errors import InputError, MedadError
from medad.loading import PlainErrorLoader
from monai.data import DataLoader, Dataset
from monai.transforms import Compose, RandGaussianNoised
from torch import Tensor

ERRORS: list[MedadError] = [
    InputError("constant image", where="b.png", expected="contrast", remedy="Leave it out."),
    MedadError("of one text"),
]


def _dataset(error: Exception | None = None, at: int = 3) -> Dataset:
    """Seven noisy images; one of them has an error, which MONAI's ``Compose`` wraps in another one."""

    def step(item: dict[str, Any]) -> dict[str, Any]:
        if error is not None and item["number"] == at:
            raise error
        return item

    noise = RandGaussianNoised("image", prob=1.0)
    return Dataset([{"image": torch.zeros(1, 4, 4), "number": n} for n in range(7)], Compose([step, noise]))


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_arrives_as_it_was_raised(error: MedadError, num_workers: int) -> None:
    batches: Iterator[Any] = iter(PlainErrorLoader(_dataset(error), num_workers, batch_size=2))
    assert next(batches)["number"].tolist() == [0, 1]
    with pytest.raises(type(error)) as caught:
        next(batches)
    assert type(caught.value) is type(error) and str(caught.value) == str(error)
    assert not multiprocessing.active_children()  # nobody waits for the processes while the error is shown


def test_a_mistake_stays_one() -> None:
    with pytest.raises(RuntimeError, match="applying transform"):
        list(PlainErrorLoader(_dataset(ZeroDivisionError())))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_batches_are_those_of_monai(num_workers: int) -> None:
    def batches(kind: type[DataLoader]) -> tuple[list[Tensor], list[int]]:
        torch.manual_seed(5)
        loader = kind(_dataset(), num_workers=num_workers, batch_size=2, shuffle=True)
        assert len(loader) == 4
        found = [batch for _ in range(2) for batch in loader]
        return [batch["image"].as_tensor() for batch in found], [n for batch in found for n in batch["number"].tolist()]

    (images, numbers), (expected, order) = batches(PlainErrorLoader), batches(DataLoader)
    assert numbers == order and numbers[:7] != numbers[7:]
    assert all(torch.equal(one, other) for one, other in zip(images, expected, strict=True))
