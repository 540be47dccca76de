# SPDX-License-Identifier: Apache-2.0
"""Published weights as a file that a backbone takes as it is."""

import hashlib
import io
import tempfile
from pathlib import Path

import torch

from ..errors import InputError, brief
from ..files import atomic_path
from ..networks.features.backbone_weights import load_backbone_weights
from ..networks.features.backbones import Backbone, make_backbone
from .download import download_file, save_timm_weights
from .sources import published_channels, published_url


def fetch_weights(backbone_name: str, out: Path, spatial_dims: int = 2, overwrite: bool = False) -> str:
    """Fetch the published weights of a backbone, fill the whole backbone with them and write its state dict.

    Args:
        backbone_name: see :func:`medad.networks.features.backbones.make_backbone`.
        out: file to write, in one step.
        spatial_dims: spatial axes, 2 or 3.
        overwrite: whether a file that stands there is replaced.

    Returns:
        The SHA-256 of the file. It depends on the weights and on the version of torch, not on the file's name.

    Raises:
        InputError: if the file exists or cannot be written, there are no weights, they are not reachable or do not fit,
            or a package is not installed.
        ValueError: if there is no such backbone.
    """
    if out.is_dir() or (out.exists() and not overwrite):
        raise InputError(
            "it exists",
            where=out,
            expected="the name of a new file",
            remedy="Choose another --out, or add --overwrite.",
        )
    backbone = make_backbone(backbone_name, spatial_dims, published_channels(backbone_name))
    try:
        with tempfile.TemporaryDirectory() as folder:
            _fill(backbone, backbone_name, spatial_dims, Path(folder))
        content = io.BytesIO()  # torch.save would write the name of a file into it
        torch.save(backbone.network.state_dict(), content)
        with atomic_path(out) as partial:
            partial.write_bytes(content.getbuffer())
    except OSError as error:
        raise InputError(
            f"cannot be written ({brief(error)})",
            where=error.filename or out,
            expected="a folder with room in which files can be made",
            remedy="Choose another --out, or make room.",
        ) from error
    return hashlib.sha256(content.getbuffer()).hexdigest()


def _fill(backbone: Backbone, backbone_name: str, spatial_dims: int, folder: Path) -> None:
    package, _, name = backbone_name.rpartition(":")
    path, source = folder / "published.pth", backbone_name
    if package == "timm":
        save_timm_weights(name, path)
    else:
        source = published_url(backbone_name, spatial_dims)
        download_file(source, path)
    try:
        load_backbone_weights(backbone, path)
    except InputError as error:  # names a file that is gone
        remedy = "Fetch again; if it stays so, the published file has changed: take another backbone."
        raise InputError(error.what, where=source, expected=error.expected, remedy=remedy) from None
