# SPDX-License-Identifier: Apache-2.0
"""ONNX export: ``models/model.onnx``, for any batch and, where the network takes them, other sizes."""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.inferers import Inferer
from monai.utils import optional_import
from torch import nn

from ..errors import InputError
from ..networks import OnnxNetwork, weights_hash
from .parity import example_inputs, other_size, require_parity

onnx, _has_onnx = optional_import("onnx")
_, _has_onnxscript = optional_import("onnxscript")


def require_onnx_can(inferer: Inferer, network: nn.Module) -> None:
    """Refuse a method that asks more of its network than its result, or that has operations without an equal in ONNX.

    Args:
        inferer: the inferer of the bundle.
        network: its network.

    Raises:
        InputError: if the inferer differentiates the network or calls other methods of it than ``forward``, or if the
            network says that it cannot be expressed (``onnx_can``).
    """
    if not getattr(network, "onnx_can", True):
        raise InputError(
            f"not exportable: ONNX lacks operations of {type(network).__name__}",
            where="ONNX",
            expected="a network made of operations that ONNX has",
            remedy="Use --torchscript.",
        )
    if not getattr(inferer, "uses_forward_only", True):
        raise InputError(
            f"not exportable: {type(inferer).__name__} needs more of the network than its result",
            where="ONNX",
            expected="an inferer that only calls the network",
            remedy="Use --torchscript, whose networks have gradients and all methods.",
        )


def export_onnx(
    network: nn.Module,
    path: Path,
    image_shape: Sequence[int],
    metadata: Mapping[str, Any],
    config: Mapping[str, Any],
) -> None:
    """Write a network as ONNX and compare what ONNX Runtime makes of it with the network.

    The inputs are called ``image`` and, for a network that takes them, ``timesteps``; the output is ``pred``.

    Args:
        network: the network on the CPU, with its weights; it is not changed.
        path: file to write.
        image_shape: ``(C, *spatial)`` of an image.
        metadata: stored among the properties of the model, as ``metadata.json``.
        config: likewise, as ``inference.json``; the SHA-256 of the weights is ``weights_sha256``.

    Raises:
        InputError: if a package is missing, or the result differs from the network for another batch, timestep or size.
    """
    if not (_has_onnx and _has_onnxscript):
        raise InputError(
            "the packages onnx and onnxscript are not installed",
            where=path,
            expected="both, to write this file",
            remedy='Install them: pip install "medad[onnx]".',
        )
    network.eval()
    shape = (2, *image_shape)
    inputs = example_inputs(network, shape)
    image_axes = {0: "batch"}
    if other_size(network, shape) is not None:
        image_axes |= {axis + 2: f"size_{axis}" for axis in range(len(shape) - 2)}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            inputs,
            dynamo=True,
            verbose=False,
            input_names=["image", "timesteps"][: len(inputs)],
            output_names=["pred"],
            dynamic_shapes=(image_axes, {0: "batch"})[: len(inputs)],
        )
    assert program is not None  # given dynamo=True
    model = program.model_proto
    _forget_source(model)
    properties = {"metadata.json": json.dumps(metadata), "inference.json": json.dumps(config)}
    onnx.helper.set_model_props(model, {**properties, "weights_sha256": weights_hash(network.state_dict())})
    onnx.save(model, str(path))
    require_parity(network, OnnxNetwork(path), shape, "ONNX")


def _forget_source(model: Any) -> None:
    """Remove what the exporter says about the source of every node; it names files of this machine."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
    for function in model.functions:
        for part in (function, *function.node):
            del part.metadata_props[:]
