# SPDX-License-Identifier: Apache-2.0
"""Weights of a network: read them from a file, hash them, load them; a state dict or an exported network."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn, uint8

from ..errors import InputError
from .unwrapping import unwrap_network


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


def tensor_hash(state: Mapping[str, Tensor]) -> str:
    """Hash name, type, shape and bytes of every tensor, sorted by name; order and device do not matter.

    Args:
        state: a state dict.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(uint8).numpy().tobytes())
    return digest.hexdigest()


def load_weights(network: nn.Module, path: str | Path, device: torch.device | str = "cpu") -> None:
    """Load ``models/model.pt`` into a network, every tensor of it and nothing else.

    Args:
        network: the method's network.
        path: file with a plain state dict, or with the network as TorchScript.
        device: where to load the tensors.

    Raises:
        InputError: if the file is missing, is no tensor-only state dict or belongs to another network.
    """
    if not Path(path).is_file():
        raise InputError(
            "no weights there",
            where=Path(path).resolve(),
            expected="a trained model.pt",
            remedy="Train with train.json, or put a trained model.pt there with its calibration.json; or run in the "
            "bundle's folder, or give --bundle_root or --ckpt_path.",
        )
    try:
        state = read_weights(path, device)
        unwrap_network(network).load_state_dict(state, strict=True)
    except Exception as error:
        reason = " ".join(line.strip() for line in str(error).strip().splitlines()[:2])
        raise InputError(
            f"weights do not fit ({reason})",
            where=path,
            expected=f"a tensor-only state dict of {type(network).__name__} as configured",
            remedy="Use the overlays and keys that the weights were trained with, all of them and no others.",
        ) from None
