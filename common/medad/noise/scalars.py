# SPDX-License-Identifier: Apache-2.0
"""Scalars as tensors without axes, which torch takes up microseconds faster than numbers of Python."""

import functools

import torch
from torch import Tensor


@functools.cache
def scalar(value: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Make a tensor without axes, once.

    Args:
        value: its value.
        dtype: its type.
        device: where it lies.

    Returns:
        The tensor, which nobody may change.
    """
    with torch.inference_mode(False):
        return torch.tensor(value, dtype=dtype, device=device)
