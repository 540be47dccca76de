# SPDX-License-Identifier: Apache-2.0
import itertools

import torch
from medad.diffusion import noise_seeds


def test_every_combination_has_a_seed_of_its_own() -> None:
    positions = torch.arange(50)
    seeds = [noise_seeds(*numbers, positions) for numbers in itertools.product(range(3), range(3), range(50))]
    assert torch.cat(seeds).unique().numel() == 3 * 3 * 50 * 50


def test_a_seed_does_not_depend_on_its_neighbors() -> None:
    together = noise_seeds(4, 1, 250, torch.tensor([7, 3, 0, 3]))
    assert together.tolist() == [int(noise_seeds(4, 1, 250, torch.tensor([p]))) for p in (7, 3, 0, 3)]
    assert together[1] == together[3]
