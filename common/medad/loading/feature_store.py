# SPDX-License-Identifier: Apache-2.0
"""Feature store: features on disk under the hash of their image, so that stale ones are never met."""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError, brief
from ..files import atomic_path

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
    """Features by image, in half precision; one file each with a checksum, whole or not at all.

    Several processes may share a folder: equal names hold equal features. Anything in it may be deleted at any time
    between two runs.

    Args:
        folder: where the files lie; ``None`` keeps features in memory, for this run.

    Raises:
        InputError: if the folder cannot be used.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._memory: dict[str, Tensor] = {}
        if folder is not None:
            with _usable(folder):
                folder.mkdir(parents=True, exist_ok=True)

    def __contains__(self, key: str) -> bool:
        """Say whether the features of an image are there and unharmed; a damaged file is removed."""
        if self.folder is None:
            return key in self._memory
        path = self._path(key)
        with _usable(path):
            if not path.is_file():
                return False
        try:
            _load(path)
        except Exception:  # whatever zipfile and numpy raise at damaged bytes
            _logger.warning("%s is damaged; its features are computed again", path)
            with _usable(path):
                path.unlink(missing_ok=True)  # another process may have met it, too
            return False
        return True

    def read(self, key: str) -> Tensor:
        """Give features as ``float32``.

        Raises:
            InputError: if the file was damaged or removed since this run began.
        """
        if self.folder is None:
            return self._memory[key].float()
        path = self._path(key)
        try:
            return torch.from_numpy(_load(path)).float()
        except Exception as error:  # whatever zipfile and numpy raise at damaged bytes
            raise InputError(
                f"features cannot be read ({brief(error)})",
                where=path,
                expected="the file as it was when this run began",
                remedy="Start again, with resume=True to continue: what is missing is computed again.",
            ) from None

    def write(self, key: str, features: Tensor, case: str) -> None:
        """Keep features.

        Args:
            key: :func:`image_key` of the image.
            features: any tensor.
            case: the image, for the error.

        Raises:
            InputError: if a value is not finite, or too large for half precision, or the file cannot be written.
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
        with _usable(path):
            try:
                with atomic_path(path, many_writers=True) as partial, partial.open("wb") as file:
                    np.savez(file, half.numpy())
            except FileNotFoundError:  # another process had written the same and cleaned up
                if not path.is_file():
                    raise

    def clean(self) -> None:
        """Remove what killed runs left of features that are there by now."""
        for partial in [] if self.folder is None else self.folder.glob("*/.*.partial"):
            with suppress(OSError):  # it may belong to somebody else, and does no harm
                if self._path(partial.name.split(".")[1]).is_file():
                    partial.unlink()

    def require(self, keys: Iterable[str]) -> None:
        """Refuse to go on without features that other processes have computed.

        Raises:
            InputError: if some are not here.
        """
        if self.folder is None:
            return
        with _usable(self.folder):
            missing = sum(not self._path(key).is_file() for key in set(keys))
        if missing:
            raise InputError(
                f"features of {missing} images are missing",
                where=self.folder,
                expected="one folder that all processes see",
                remedy="Set feature_cache to a folder on a shared disk, or to null: each process computes all then.",
            )

    def megabytes(self, keys: Iterable[str]) -> float:
        """Add up the sizes of features in MB."""
        if self.folder is None:
            return sum(self._memory[key].nbytes for key in keys) / 1e6
        return sum(self._path(key).stat().st_size for key in keys) / 1e6

    def _path(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / key[:2] / f"{key}.npz"


def _load(path: Path) -> np.ndarray:
    """Read a whole file; its checksum is compared on the way."""
    with np.load(path) as file:
        features: np.ndarray = file["arr_0"]
    return features


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    """Say what to do about a disk that refuses."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"features cannot be kept ({brief(error)})",
            where=path,
            expected="a folder that can be written to, with enough space",
            remedy="Set feature_cache to another folder, or to null: features stay in memory then.",
        ) from None
