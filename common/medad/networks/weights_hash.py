# SPDX-License-Identifier: Apache-2.0
"""SHA-256 of the tensors of a state dict: which weights a result came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from torch import Tensor, uint8


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
