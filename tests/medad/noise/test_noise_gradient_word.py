# SPDX-License-Identifier: Apache-2.0
"""The word against the gradients that it stands for: every axis of the long component, every sign."""

import itertools
import struct

import pytest
from medad.noise.gradient_word import SHIFT, gradient_word
from medad.noise.lattice import LATTICES, SHORT


@pytest.mark.parametrize("dims", [2, 3, 4])
def test_shifted_and_masked_the_word_is_every_component(dims: int) -> None:
    lattice = LATTICES[dims]
    word = gradient_word(lattice)
    for long, signs in itertools.product(range(dims), itertools.product([1, -1], repeat=dims)):
        bits = sum((1 << 31) >> SHIFT * axis for axis in range(dims) if signs[axis] < 0)
        assert bits & word.signs == bits
        content = bits | word.short | word.longer >> SHIFT * long
        found = [(content << SHIFT * axis) & 0xFFFFFFFF & word.mask for axis in range(dims)]
        numbers = [struct.unpack(">f", number.to_bytes(4, "big"))[0] for number in found]
        assert numbers == [sign * (lattice.long if axis == long else SHORT) for axis, sign in enumerate(signs)]


@pytest.mark.parametrize("dims", [2, 3, 4])
def test_bits_that_choose_an_axis_are_no_signs(dims: int) -> None:
    word = gradient_word(LATTICES[dims])
    assert word.signs & ((1 << word.choice_bits) - 1) == 0 and word.choice_bits >= 13
    # as fractions of the axes all of them are equally frequent, to one in many thousands
    counts = [0] * dims
    for choice in range(1 << 13):
        counts[(choice << word.choice_bits - 13) * dims >> word.choice_bits] += 1
    assert max(counts) - min(counts) <= 1
