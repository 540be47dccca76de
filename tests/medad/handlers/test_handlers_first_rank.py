# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
import torch.distributed as dist
from medad.errors import InputError
from medad.handlers.first_rank import on_first_rank
from ranks import on_ranks


def _refuse() -> None:
    raise InputError("taken", where="out", expected="a new folder", remedy="Choose another.")


def test_one_process_does_it_itself(tmp_path: Path) -> None:
    done = []
    on_first_rank(lambda: done.append(1))
    assert done == [1]
    with pytest.raises(InputError, match="taken"):
        on_first_rank(_refuse)


def test_the_first_of_two_does_it_and_both_hear_of_a_refusal(tmp_path: Path) -> None:
    def work() -> None:
        dist.init_process_group("gloo")
        on_first_rank(lambda: print(f"done on {dist.get_rank()}"))
        try:
            on_first_rank(_refuse)
        except InputError as error:
            print(f"{dist.get_rank()}: {error}")

    outcome = on_ranks(work, tmp_path / "said.log")
    assert not outcome.failed, outcome.said
    assert outcome.said.count("done on") == 1 and "done on 0" in outcome.said
    assert "0: out: taken" in outcome.said and "1: out: taken" in outcome.said


def test_another_error_is_that_of_its_rank() -> None:
    def fail() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        on_first_rank(fail)
