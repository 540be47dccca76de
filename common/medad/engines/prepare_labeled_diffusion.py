# SPDX-License-Identifier: Apache-2.0
"""From a batch of labeled images to one step of a diffusion training that uses the labels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..keys import Keys
from .prepare_batch import on_device
from .prepare_diffusion import PrepareDiffusion


class PrepareGuidedDiffusion(PrepareDiffusion):
    """Noise and timestep for every image, as in :class:`PrepareDiffusion`; the target is that one and the labels.

    Arguments and errors are those of :class:`PrepareDiffusion`.
    """

    def __call__(  # type: ignore[override]  # the loss takes whatever it is made for
        self,
        batchdata: dict[str, Any],
        device: torch.device | str | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, tuple[Tensor, Tensor], tuple[Any, ...], dict[str, Any]]:
        """Prepare one batch.

        Args:
            batchdata: collated cases with image ``(B, C, *spatial)`` and label ``(B,)``.
            device: where the network is.
            non_blocking: whether the copy may overlap with computation.
            kwargs: further arguments of the copy.

        Returns:
            Images in the range of the network, target and labels, no arguments, and ``noise`` and ``timesteps`` for the
            inferer.
        """
        images, target, arguments, named = super().__call__(batchdata, device, non_blocking, **kwargs)
        return images, (target, on_device(batchdata[Keys.LABEL], device, non_blocking)), arguments, named


class PrepareConditionedDiffusion(PrepareDiffusion):
    """Noise and timestep for every image, as in :class:`PrepareDiffusion`; the network is told the label.

    Arguments and errors are those of :class:`PrepareDiffusion`.
    """

    def __call__(
        self,
        batchdata: dict[str, Any],
        device: torch.device | str | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor, tuple[Any, ...], dict[str, Any]]:
        """Prepare one batch.

        Args:
            batchdata: collated cases with image ``(B, C, *spatial)`` and label ``(B,)``.
            device: where the network is.
            non_blocking: whether the copy may overlap with computation.
            kwargs: further arguments of the copy.

        Returns:
            Images in the range of the network, target, no arguments, and ``noise``, ``timesteps`` and ``condition`` for
            the inferer.
        """
        images, target, arguments, named = super().__call__(batchdata, device, non_blocking, **kwargs)
        return images, target, arguments, {**named, "condition": on_device(batchdata[Keys.LABEL], device, non_blocking)}
