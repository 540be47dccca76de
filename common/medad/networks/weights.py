# SPDX-License-Identifier: Apache-2.0
"""The tensors of a file with weights: a state dict, or a network exported to TorchScript."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch


def read_weights(path: str | Path, device: torch.device | str = "cpu") -> Any:
    """Read the state dict that a file holds.

    Args:
        path: ``model.pt`` with a plain state dict, or ``model.ts`` with an exported network; both hold the same names
            and tensors.
        device: where to load the tensors.

    Returns:
        The content of the file; for TorchScript the state dict of the network.

    Raises:
        Exception: whatever torch raises at a file that is neither, or that holds more than tensors.
    """
    if is_torchscript(path):
        return torch.jit.load(path, map_location=device).state_dict()
    return torch.load(path, map_location=device, weights_only=True)


def is_torchscript(path: str | Path) -> bool:
    """Say whether a file holds a network exported to TorchScript."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
