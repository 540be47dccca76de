# SPDX-License-Identifier: Apache-2.0
"""Backbone weights from a file: all of them, or an error that says which do not fit."""

import hashlib
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ...errors import InputError, brief
from ..weights import read_weights
from .backbones import Backbone

_logger = logging.getLogger(__name__)

_EXPECTED = "a state dict of this backbone, written by torch.save"
_REMEDY = "Give the file of the backbone that backbone_name names, with as many channels and spatial axes."
_NO_FILE = (
    "Correct the path, train a backbone with train_backbone.json, or fetch one with python -m medad.fetch_backbone; "
    "nothing is fetched here."
)
_LISTED = 3  # names of tensors that an error shows of each kind


def load_backbone_weights(
    backbone: Backbone, path: str | Path, sha256: str | None = None, unused: Sequence[str] = ()
) -> None:
    """Fill a backbone with the weights in a file.

    MONAI's own loading leaves what is missing or has another shape random, and says nothing.

    Args:
        backbone: network to fill; stays as it is if the file does not fit.
        path: file with a state dict, bare or under ``"state_dict"`` or ``"model"``. Names are those of the network,
            also behind ``module.``, or for EfficientNets those of lukemelas/EfficientNet-PyTorch. The file may hold
            the head of the classifier, which is left out.
        sha256: hash that the file must have.
        unused: modules whose weights may be missing.

    Raises:
        InputError: if the file is missing, has another hash, holds something else, or any tensor is missing, left over
            or of another shape.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such file", where=path, expected=_EXPECTED, remedy=_NO_FILE)
    if sha256 is not None:
        _check_hash(path, sha256)
    given = _read(path)
    whole = backbone.network.state_dict()
    names = {name: name if name in given else _lukemelas_name(name) for name in whole}
    # evaluation does not use this count, and files of before 2018 have none
    found = {name: given[other] for name, other in names.items() if other in given}
    optional = tuple(f"{name}." for name in unused)
    wanted = {name: value for name, value in whole.items() if name in found or not name.startswith(optional)}
    missing = [name for name in wanted if name not in found and not name.endswith(".num_batches_tracked")]
    head = [name for name in given if name.partition(".")[0] in backbone.head]
    left_over = sorted(given.keys() - {names[name] for name in found} - set(head))
    misshaped = [
        f"{name} {tuple(value.shape)} instead of {tuple(wanted[name].shape)}"
        for name, value in found.items()
        if value.shape != wanted[name].shape
    ]
    problems = [
        f"{len(tensors)} {kind} ({_some(tensors)})"
        for kind, tensors in (("missing", missing), ("left over", left_over), ("of another shape", misshaped))
        if tensors
    ]
    if problems:
        fit = len(found) - len(misshaped)
        raise InputError(
            f"weights do not fit: {fit} of {len(wanted)} tensors do, {', '.join(problems)}",
            where=path,
            expected=_EXPECTED,
            remedy=_REMEDY,
        )
    backbone.network.load_state_dict({**whole, **found})
    _logger.info("%s: %d of %d tensors loaded, %d of the head left out", path, len(found), len(wanted), len(head))


def _check_hash(path: Path, sha256: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256.lower():
        raise InputError(
            f"the file has SHA-256 {found}",
            where=path,
            expected=f"SHA-256 {sha256}",
            remedy="Give the right file, or the hash of this one if it is meant.",
        )


def _read(path: Path) -> dict[str, Tensor]:
    try:
        content = read_weights(path)
    except Exception as error:
        what = f"cannot be read as weights ({brief(error)})"
        raise InputError(what, where=path, expected=_EXPECTED, remedy=_REMEDY) from None
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError("holds something other than tensors", where=path, expected=_EXPECTED, remedy=_REMEDY)
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def _lukemelas_name(name: str) -> str:
    """Leave out the number of the stage, as MONAI does: its blocks lie in stages and are counted through."""
    return re.sub(r"^(_blocks)\.\d+(\.\d+\.)", r"\1\2", name)


def _some(names: Iterable[str]) -> str:
    first = list(names)
    return ", ".join(first[:_LISTED]) + (", ..." if len(first) > _LISTED else "")
