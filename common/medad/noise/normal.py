# SPDX-License-Identifier: Apache-2.0
"""Normal numbers from random bits by exactly rounded operations only: the same bits on every device.

n = sqrt(-2 log u) * sin(pi v),  u uniform in (0, 1), v uniform in (-1/2, 1/2)      (Box and Muller, 1958)

The sine of an angle within a quarter turn has the same distribution as the cosine of any angle. Library logarithms
and sines differ in the last bit between devices, and between the body and the end of a vector loop, so that a tile of
a field could differ from the whole. Sums, products, quotients and square roots do not: IEEE 754 fixes their result.
"""

import math

import torch
from torch import Tensor

# log m = 2 (s + s^3/3 + s^5/5 + ...), s = (m - 1)/(m + 1); |s| < 0.478, what is left out is below 7e-5
_LOG = [2.0 / power for power in (9, 7, 5, 3, 1)]
# Taylor series of sin(pi v) in v; what is left out is below 6e-8 at v = 1/2
_SINE = [(-1) ** (power // 2) * math.pi**power / math.factorial(power) for power in (11, 9, 7, 5, 3, 1)]
_SQRT_2_BITS = 0x3FB504F3
_ONE_BITS = 0x3F800000


def normal_from_bits(bits: Tensor) -> Tensor:
    """Turn random integers into standard normal numbers.

    Args:
        bits: ``int64`` tensor of random bits, any shape.

    Returns:
        ``float32`` tensor of the same shape; magnitudes are below 5.8.
    """
    # 23 and 24 bits and half a step: exact in float32, never 0 or 1
    uniform = (((bits >> 40) & 0x7FFFFF).to(torch.float32) + 0.5) * 2.0**-23
    angle = ((bits & 0xFFFFFF).to(torch.float32) - (2.0**23 - 0.5)) * 2.0**-24
    return torch.sqrt(_log(uniform) * -2.0) * (_horner(_SINE, angle * angle) * angle)


def _log(values: Tensor) -> Tensor:
    """Natural logarithm of normal ``float32`` numbers in (0, 1): exponent and mantissa in [sqrt(2), 2 sqrt(2))."""
    bits = values.view(torch.int32)
    exponent = (bits - (_SQRT_2_BITS - (1 << 23))) >> 23
    exponent = exponent - 127 + 126
    mantissa = (bits - (exponent << 23)).view(torch.float32)
    ratio = (mantissa - 1.0) / (mantissa + 1.0)
    return exponent.to(torch.float32) * math.log(2.0) + _horner(_LOG, ratio * ratio) * ratio


def _horner(coefficients: list[float], x: Tensor) -> Tensor:
    """Evaluate a polynomial, highest power first; product and sum are separate operations, each rounded."""
    value = x * coefficients[0]
    for coefficient in coefficients[1:-1]:
        value = (value + coefficient) * x
    return value + coefficients[-1]
