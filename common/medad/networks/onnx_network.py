# SPDX-License-Identifier: Apache-2.0
"""ONNX network: an exported network on ONNX Runtime, in the place of the original."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from monai.utils import optional_import
from torch import Tensor, nn

from ..errors import InputError


class OnnxNetwork(nn.Module):
    """Run ``model.onnx``; an inferer takes it as it takes the network.

    It has no weights to train and gives no gradients.

    Args:
        path: file written by ``python -m medad.export --onnx``.
        providers: where ONNX Runtime executes, in the order of preference.

    Shape:
        Those of the exported network; the result lies on the device of the image.

    Raises:
        InputError: if ONNX Runtime is not installed or the file is missing; in a call, if a gradient is asked for.
    """

    def __init__(self, path: str | Path, providers: Sequence[str] = ("CPUExecutionProvider",)) -> None:
        super().__init__()
        # only here: importing it takes longer than all of medad
        onnxruntime, found = optional_import("onnxruntime")
        if not found:
            raise InputError(
                "the package onnxruntime is not installed",
                where=path,
                expected="ONNX Runtime, which executes such a file",
                remedy='Install it: pip install "medad[onnx]".',
            )
        if not Path(path).is_file():
            raise InputError(
                "no exported network there",
                where=Path(path).resolve(),
                expected="a model.onnx",
                remedy="Write it with python -m medad.export --onnx.",
            )
        self.session = onnxruntime.InferenceSession(str(path), providers=list(providers))
        self.input_names = [entry.name for entry in self.session.get_inputs()]

    def forward(self, image: Tensor, timesteps: Tensor | None = None) -> Tensor:
        """Run the network.

        Args:
            image: ``(B, C, *spatial)``.
            timesteps: ``(B,)`` for a network that takes them; without them all are 0.
        """
        if image.requires_grad and torch.is_grad_enabled():
            raise InputError(
                "a gradient of the network is asked for",
                where="ONNX Runtime",
                expected="an inferer that uses the result of the network alone",
                remedy="Use the network itself or its TorchScript.",
            )
        given = [image]
        if len(self.input_names) > 1:
            given.append(image.new_zeros(len(image), dtype=torch.long) if timesteps is None else timesteps)
        arrays = [np.ascontiguousarray(tensor.detach().cpu().numpy()) for tensor in given]
        (result,) = self.session.run(None, dict(zip(self.input_names, arrays, strict=True)))
        return torch.from_numpy(result).to(image.device)
