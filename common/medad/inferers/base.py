# SPDX-License-Identifier: Apache-2.0
"""Base of all inferers: one tensor out, and a 2D network on a volume."""

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer
from torch import Tensor, nn

from ..checks import check_at_least, check_spatial_dims


class AnomalyInferer(Inferer):
    """Turn images into anomaly maps and, where the method has them, pseudo-healthy images.

    A 2D network (``spatial_dims=2``) meets a volume slice by slice along its last axis: the slices become the batch and
    are processed ``slice_batch_size`` at a time.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.
        slice_batch_size: how many slices go through the network together.

    Shape:
        ``inputs``: ``(B, C, *spatial)``. Result: ``(B, 1 + R, *spatial)``: channel 0 is the anomaly map (at least 0),
        the other R channels (0 or C) are the reconstruction.

    Raises:
        ValueError: if an argument or the number of axes does not fit.
    """

    uses_forward_only: ClassVar[bool] = True
    """Whether the result of the network is all that is asked of it: no gradient, and no other method."""

    def __init__(self, spatial_dims: int, slice_batch_size: int = 32) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        check_at_least(1, slice_batch_size=slice_batch_size)
        self.spatial_dims = spatial_dims
        self.slice_batch_size = slice_batch_size

    def __repr__(self) -> str:
        """Say everything that makes the map; how many slices share a batch does not."""
        settings = {name: value for name, value in vars(self).items() if name != "slice_batch_size"}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in settings.items())})"

    @abstractmethod
    def infer(self, images: Tensor, network: nn.Module) -> Tensor:
        """Do the method's work on images of the network's own dimension.

        Args:
            images: ``(B, C, *spatial)`` with ``spatial_dims`` spatial axes.
            network: the method's network.

        Returns:
            ``(B, 1 + R, *spatial)``.
        """

    def infer_slices(self, images: Tensor, network: nn.Module, positions: Tensor) -> Tensor:
        """Do the method's work on slices of volumes; where a slice lies matters to methods that draw noise.

        Args:
            images: ``(B, C, *spatial)`` with two spatial axes.
            network: the method's network.
            positions: ``int64`` ``(B,)``: which slice of its volume each image is.

        Returns:
            ``(B, 1 + R, *spatial)``.
        """
        return self.infer(images, network)

    def __call__(  # type: ignore[override]  # MONAI allows any callable; the methods need a module
        self, inputs: Tensor, network: nn.Module, *args: Any, **kwargs: Any
    ) -> Tensor:
        """Process a batch of images, or of volumes slice by slice."""
        if isinstance(inputs, MetaTensor):
            # metadata would be copied at every operation of the network: take it off and put it back once
            return MetaTensor(self(inputs.as_tensor(), network)).copy_meta_from(inputs)
        axes = inputs.ndim - 2
        if axes == self.spatial_dims:
            return self.infer(inputs, network)
        if (axes, self.spatial_dims) != (3, 2):
            raise ValueError(
                f"image of shape {tuple(inputs.shape)}: a network with spatial_dims={self.spatial_dims} "
                f"cannot take {axes} spatial axes."
            )
        batch, depth = inputs.shape[0], inputs.shape[-1]
        slices = inputs.movedim(-1, 1).flatten(0, 1)
        positions = torch.arange(depth, device=inputs.device).repeat(batch)
        chunks = zip(slices.split(self.slice_batch_size), positions.split(self.slice_batch_size), strict=True)
        outputs = torch.cat([self.infer_slices(chunk, network, where) for chunk, where in chunks])
        return outputs.unflatten(0, (batch, depth)).movedim(1, -1)
