# SPDX-License-Identifier: Apache-2.0
"""Perceptual distance: how different two images look, voxel by voxel, in the features of a frozen network.

p(x, y) = clip( Gauss( sum over layers l of w_l |f_l(x) - f_l(y)|^2 ), 0, 1),   every f of unit length
"""

import hashlib
from pathlib import Path
from typing import Any

import torch
from monai.networks.layers import gaussian_1d, separable_filtering
from torch import Tensor, nn
from torch.nn import functional as F

from ...checks import check_positive
from ...errors import InputError
from ..weights import is_torchscript, read_tensors
from .squeezenet_features import SqueezeNetFeatures

_SMALLEST = 1e-10  # length below which features count as zero
_SMALLEST_IMAGE = 17  # what the poolings of SqueezeNet leave a pixel of


class SpatialLPIPS(nn.Module):
    """LPIPS with SqueezeNet as a map: a learned weighting of differences of features.

    MONAI's ``PerceptualLoss`` gives one number, and fetches its weights.

    Args:
        state: state dict of ``lpips.LPIPS(net="squeeze")``, or ``None`` for random weights.

    Shape:
        Two batches ``(B, C, H, W)`` in [-1, 1], C 1 or 3, H and W at least 17, to ``(B, 1, H, W)``, at least 0.

    Raises:
        InputError: in a call, if channels or size do not fit.

    References:
        Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018,
        arXiv:1801.03924, equation 1; weights of version 0.1.
    """

    spatial_dims = 2
    shift: Tensor
    scale: Tensor

    def __init__(self, state: dict[str, Tensor] | None = None) -> None:
        super().__init__()
        self.net = SqueezeNetFeatures()
        for number, width in enumerate(SqueezeNetFeatures.channels):  # named as in the package lpips
            weights = nn.Conv2d(width, 1, kernel_size=1, bias=False)
            nn.init.uniform_(weights.weight)  # none is negative
            self.add_module(f"lin{number}", nn.ModuleDict({"model": nn.ModuleDict({"1": weights})}))
        if state is not None:
            self.load_state_dict({name: state[name] for name in self.state_dict()}, strict=True)
        # mean and standard deviation of ImageNet, moved to [-1, 1]
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Compare ``x`` with ``y``."""
        if x.shape[1] not in (1, 3) or min(x.shape[2:]) < _SMALLEST_IMAGE:
            raise InputError(
                f"images of shape {tuple(x.shape[1:])}",
                where="SpatialLPIPS",
                expected=f"1 or 3 channels and at least {_SMALLEST_IMAGE} pixels along each axis, as SqueezeNet needs",
                remedy="Use a larger image_size, an encoder of your own, or perceptual_path=None.",
            )
        both = (torch.cat([x, y]).expand(-1, 3, -1, -1) - self.shift) / self.scale
        total = torch.zeros_like(x[:, :1])
        for number, features in enumerate(self.net(both)):
            weighted = self.get_submodule(f"lin{number}.model.1")(_squared_difference(features))
            total = total + F.interpolate(weighted, size=x.shape[2:], mode="bilinear", align_corners=False)
        return total


class EncoderDistance(nn.Module):
    """Cosine distance of the features of any encoder, mean over its feature maps.

    Args:
        encoder: takes images ``(B, C, *spatial)`` in [-1, 1], gives one feature map ``(B, F, *grid)`` or several.
        spatial_dims: spatial axes of the encoder, 2 or 3.

    Shape:
        Two batches ``(B, C, *spatial)`` to ``(B, 1, *spatial)`` in [0, 2].
    """

    def __init__(self, encoder: nn.Module, spatial_dims: int) -> None:
        super().__init__()
        self.encoder = encoder.eval()
        self.spatial_dims = spatial_dims
        self.requires_grad_(False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Compare ``x`` with ``y``."""
        levels = self._features(torch.cat([x, y]))
        mode = "bilinear" if self.spatial_dims == 2 else "trilinear"
        total = torch.zeros_like(x[:, :1])
        for level in levels:
            distance = _squared_difference(level).sum(dim=1, keepdim=True) / 2
            total = total + F.interpolate(distance, size=x.shape[2:], mode=mode, align_corners=False)
        return total / len(levels)

    def _features(self, images: Tensor) -> list[Tensor]:
        reason = "its result is something else"
        try:
            features = self.encoder(images)
            levels = [features] if isinstance(features, Tensor) else list(features)
            if levels and all(level.ndim == images.ndim and len(level) == len(images) for level in levels):
                return levels
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, TypeError, AttributeError) as error:
            reason = str(error).strip().splitlines()[-1]
        raise InputError(
            f"no feature maps of images of shape {tuple(images.shape)} ({reason})",
            where="the encoder of the perceptual distance",
            expected="one argument (B, C, *spatial); one feature map (B, F, *grid) or several as the result",
            remedy="Export an encoder for images of this bundle, or give perceptual_path=None.",
        )


class PerceptualDistance(nn.Module):
    """Smooth map of how different two images look, from weights in a file on this machine; nothing is ever fetched.

    Args:
        path: either the state dict of ``lpips.LPIPS(net="squeeze")``, or an encoder of one's own as TorchScript (see
            :class:`EncoderDistance`).
        spatial_dims: spatial axes of the images, and of an encoder of one's own. LPIPS meets volumes slice by slice.
        sigma: standard deviation of the smoothing in voxels.

    Shape:
        Two batches ``(B, C, *spatial)`` in [-1, 1] to ``(B, 1, *spatial)`` in [0, 1]. Every image by itself.

    Raises:
        InputError: if the file is missing or holds something else.
        ValueError: if ``sigma`` is not positive.
    """

    kernel: Tensor

    def __init__(self, path: str | Path, spatial_dims: int, sigma: float = 2.0) -> None:
        super().__init__()
        check_positive(sigma=sigma)
        self.distance = _load_distance(Path(path), spatial_dims)
        self.file_hash = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        self.sigma = float(sigma)
        kernel = gaussian_1d(torch.tensor(self.sigma), truncated=4.0, approx="erf", normalize=True)
        self.register_buffer("kernel", kernel, persistent=False)

    def __repr__(self) -> str:
        """Name what makes the map: kind and content of the weights, smoothing."""
        kind = type(self.distance).__name__
        return f"{type(self).__name__}({kind}, sha256={self.file_hash[:16]}, sigma={self.sigma})"

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Compare ``x`` with ``y``."""
        self.to(x.device)
        with torch.autocast(x.device.type, enabled=False):
            distance = self._by_slices(x.float(), y.float())
            # not MONAI's GaussianFilter, which pads with zeros and so finds borders less different
            smooth: Tensor = separable_filtering(distance, [self.kernel] * (x.ndim - 2), mode="replicate")
        return smooth.clamp(0, 1)

    def _by_slices(self, x: Tensor, y: Tensor) -> Tensor:
        if x.ndim - 2 == self.distance.spatial_dims:
            return self.distance(x, y)
        flat = (image.movedim(-1, 1).flatten(0, 1) for image in (x, y))
        return self.distance(*flat).unflatten(0, (len(x), x.shape[-1])).movedim(1, -1)


def perceptual_distance(path: str | Path | None, spatial_dims: int, sigma: float = 2.0) -> PerceptualDistance | None:
    """Make a :class:`PerceptualDistance`, or none where no file is given.

    Args:
        path: as for :class:`PerceptualDistance`, or ``None``.
        spatial_dims: as there.
        sigma: as there.
    """
    return None if path is None else PerceptualDistance(path, spatial_dims, sigma)


def _squared_difference(features: Tensor) -> Tensor:
    """Bring features ``(2 B, F, *grid)`` to unit length and compare the first half of the batch with the second."""
    one, other = (features / (features.square().sum(dim=1, keepdim=True).sqrt() + _SMALLEST)).chunk(2)
    return (one - other).square()


def _load_distance(path: Path, spatial_dims: int) -> Any:
    expected = 'the state dict of lpips.LPIPS(net="squeeze"), or an encoder as TorchScript'
    remedy = (
        'Write it once where the package lpips is: torch.save(lpips.LPIPS(net="squeeze").state_dict(), PATH); or give '
        "perceptual_path=None."
    )
    if not path.is_file():
        raise InputError("no such file", where=path, expected=expected, remedy=remedy)
    try:
        if is_torchscript(path):
            return EncoderDistance(torch.jit.load(path, map_location="cpu"), spatial_dims)
        with torch.random.fork_rng(devices=[]):  # weights that are drawn only to be replaced cost a training nothing
            return SpatialLPIPS(read_tensors(path))
    except InputError as error:
        raise InputError(error.what, where=path, expected=expected, remedy=remedy) from None
    except Exception as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else _first_line(error)
        raise InputError(f"weights do not fit ({reason})", where=path, expected=expected, remedy=remedy) from None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
