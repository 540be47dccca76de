# SPDX-License-Identifier: Apache-2.0
import torch
from medad.engines import OneCycle
from torch.optim.lr_scheduler import OneCycleLR


def _optimizer() -> torch.optim.Optimizer:
    return torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.1)


def _rates(scheduler: OneCycleLR, steps: int) -> list[float]:
    rates = []
    for _ in range(steps):
        rates.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        scheduler.step()
    return rates


def test_within_its_length_it_is_that_of_torch() -> None:
    ours = _rates(OneCycle(_optimizer(), 0.1, total_steps=20, pct_start=0.25), 20)
    assert len(set(ours)) == 20 and max(ours) == 0.1 and ours[-1] < 1e-5
    reference = OneCycleLR(_optimizer(), 0.1, total_steps=20, pct_start=0.25)
    assert ours[:19] == _rates(reference, 19)


def test_beyond_its_end_the_rate_stays() -> None:
    rates = _rates(OneCycle(_optimizer(), 0.1, total_steps=8), 20)
    assert len(set(rates[7:])) == 1 and rates[7] < 1e-5


def test_a_longer_run_goes_on_with_its_own_length() -> None:
    short = OneCycle(_optimizer(), 0.1, total_steps=8)
    _rates(short, 8)
    longer, whole = (OneCycle(_optimizer(), 0.1, total_steps=16) for _ in range(2))
    longer.load_state_dict(short.state_dict())
    rates = _rates(longer, 8)
    assert rates[1:] == _rates(whole, 16)[8:15]
