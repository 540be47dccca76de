# SPDX-License-Identifier: Apache-2.0
"""TorchScript export: ``models/model.ts``, with metadata and configuration in the file."""

import json
import logging
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from monai.data import save_net_with_metadata
from monai.networks.nets import diffusion_model_unet
from torch import nn
from torch.jit.frontend import FrontendError

from ..files import atomic_path
from .archive import entry_of
from .parity import example_inputs, require_parity

_logger = logging.getLogger(__name__)

_CONSTANTS = re.compile(rb"(?:^  \w+ : Final\[.*\n)+", re.MULTILINE)


def export_torchscript(
    network: nn.Module,
    path: Path,
    image_shape: Sequence[int],
    metadata: Mapping[str, Any],
    config: Mapping[str, Any],
) -> None:
    """Write a network as TorchScript, as MONAI's ``ckpt_export`` does, and compare it with the network.

    A network that cannot be scripted is traced with all its inputs, and so are the methods in its ``exported_methods``,
    which are called with the same ones. (``ckpt_export`` traces with the image alone, so that the timestep would be
    part of the file.) The file names no source file of this machine, and a network gives the same bytes in every
    process that has not used TorchScript before.

    Args:
        network: the network on the CPU, with its weights; it is not changed.
        path: file to write.
        image_shape: ``(C, *spatial)`` of an image.
        metadata: stored as ``metadata.json``.
        config: stored as ``inference.json``.

    Raises:
        InputError: if the result differs from the network for another batch, timestep or size.
    """
    network.eval()
    shape = (2, *image_shape)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated; sizes that are numbers are compared below
        exported = _script_or_trace(network, shape)
    for method in (None, *_methods(network)):
        require_parity(network, exported, shape, "TorchScript", method)
    extra = {"inference.json": json.dumps(config).encode()}
    save_net_with_metadata(exported, str(path), meta_values=metadata, more_extra_files=extra, include_config_vals=False)
    _forget_source(path)


def _script_or_trace(network: nn.Module, shape: Sequence[int]) -> torch.jit.ScriptModule:
    try:
        return torch.jit.script(network)
    except (RuntimeError, FrontendError) as error:
        reason = str(error).strip().partition("\n")[0]
        _logger.info("%s is traced, since it cannot be scripted: %s", type(network).__name__, reason)
    inputs = example_inputs(network, shape)
    with _device_free_time_embedding():
        return torch.jit.trace_module(
            network, {method: inputs for method in ("forward", *_methods(network))}, check_trace=False
        )


@contextmanager
def _device_free_time_embedding() -> Iterator[None]:
    """Keep a traced network free to move: MONAI's embedding of timesteps makes a tensor, on the traced device for ever.

    As a script it is kept as a function that looks at the device of the timesteps.
    """
    traced = diffusion_model_unet.get_timestep_embedding
    diffusion_model_unet.get_timestep_embedding = torch.jit.script(traced)
    try:
        yield
    finally:
        diffusion_model_unet.get_timestep_embedding = traced


def _methods(network: nn.Module) -> tuple[str, ...]:
    """What an inferer asks of a network beside its result."""
    return tuple(getattr(network, "exported_methods", ()))


def _forget_source(path: Path) -> None:
    """Write a file again without the names of source files, its random number, and the random order of constants."""
    with zipfile.ZipFile(path) as exported, atomic_path(path) as partial, zipfile.ZipFile(partial, "w") as file:
        for entry in exported.infolist():
            if not entry.filename.endswith((".debug_pkl", "/.data/serialization_id")):
                content = exported.read(entry)
                if entry.filename.endswith(".py"):
                    content = _CONSTANTS.sub(_sorted_lines, content)
                file.writestr(entry_of(entry.filename, entry.compress_type), content)


def _sorted_lines(match: re.Match[bytes]) -> bytes:
    return b"".join(sorted(match[0].splitlines(keepends=True)))
