# SPDX-License-Identifier: Apache-2.0
"""Features of images on disk, under the hash of the image: whatever changes, stale features are never met."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError

_logger = logging.getLogger(__name__)


def image_key(image: Tensor) -> str:
    """Hash an image as a network gets it: type, shape and bytes.

    Args:
        image: any tensor.

    Returns:
        64 hexadecimal digits.
    """
    values = image.detach().cpu().contiguous()
    digest = hashlib.sha256(json.dumps([str(values.dtype), list(values.shape)]).encode())
    digest.update(values.numpy().tobytes())
    return digest.hexdigest()


class FeatureStore:
    """Features by image, in half precision; one file each, whole or not at all.

    Several processes may share a folder: equal names hold equal features. Anything in it may be deleted at any time
    between two runs.

    Args:
        folder: where the files lie; ``None`` keeps features in memory, for this run.
    """

    def __init__(self, folder: str | Path | None) -> None:
        self.folder = None if folder is None else Path(folder)
        self._memory: dict[str, Tensor] = {}
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)

    def __contains__(self, key: str) -> bool:
        """Say whether the features of an image can be read; a file that cannot is removed."""
        if self.folder is None:
            return key in self._memory
        path = self._path(key)
        if not path.is_file():
            return False
        try:
            np.load(path, mmap_mode="r")
        except (ValueError, OSError, EOFError):
            _logger.warning("%s cannot be read; its features are computed again", path)
            path.unlink()
            return False
        return True

    def read(self, key: str) -> Tensor:
        """Give features as ``float32``."""
        stored = self._memory[key] if self.folder is None else torch.from_numpy(np.load(self._path(key)))
        return stored.float()

    def write(self, key: str, features: Tensor, case: str) -> None:
        """Keep features.

        Args:
            key: :func:`image_key` of the image.
            features: any tensor.
            case: the image, for the error.

        Raises:
            InputError: if a value is not finite, or too large for half precision.
        """
        half = features.detach().cpu().half()
        if not bool(torch.isfinite(half).all()):
            raise InputError(
                f"a feature of {features.abs().max():.3g}",
                where=case,
                expected="finite values up to 65504",
                remedy="Check the weights of the backbone, and that images are scaled to [0, 1].",
            )
        if self.folder is None:
            self._memory[key] = half
            return
        path = self._path(key)
        path.parent.mkdir(exist_ok=True)
        partial = path.with_name(f".{path.stem}.{os.getpid()}.partial.npy")
        np.save(partial, half.numpy())
        try:
            partial.replace(path)
        except FileNotFoundError:  # another process had written the same and cleaned up
            if not path.is_file():
                raise

    def clean(self) -> None:
        """Remove what killed runs left of features that are there by now."""
        for partial in [] if self.folder is None else self.folder.glob("*/.*.partial.npy"):
            if self._path(partial.name.split(".")[1]).is_file():
                partial.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / key[:2] / f"{key}.npy"
