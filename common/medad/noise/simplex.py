# SPDX-License-Identifier: Apache-2.0
"""Fractal simplex noise: octaves of ever finer simplex noise, each weaker than the one before.

n(x) = sum over k < K of p^k S(x / f_k, t / f_k),  f_k = f_0 / 2^k
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..checks import check_at_least, check_choice, check_positive, check_spatial_dims
from .backends import simplex_fields
from .coordinates import axis_table, octave_wavelengths, voxel_axis_table
from .counter import counter_bits
from .lattice import LATTICES
from .seeding import check_call, check_origin, field_seeds

_OCTAVE_STD = {2: 0.367, 3: 0.313, 4: 0.246}
"""Measured standard deviation of a single octave, by number of coordinates."""
_NORMALIZE = ("none", "unit")
_CHANNELS = ("independent", "correlated")


class FractalSimplexNoise:
    """Smooth noise with structure on many scales, a function of (seed, channel, time, voxel index).

    The noise is that of OpenSimplex; gradients come from a hash of seed and lattice point, not from a
    permutation table. Differs from the AnoDDPM and DTU-Net codes, which draw one field for a whole batch: here every
    sample has its own, and every channel, unless channels are asked to be correlated. Every octave has a seed of its
    own; there all octaves share one permutation table, so that each repeats the one before at half its size.

    Args:
        spatial_dims: 2 or 3.
        octaves: number K of octaves.
        persistence: factor p from one octave to the next.
        frequency: wavelength f_0 of the coarsest octave in voxels (the published name).
        spacing: factor of the voxel indices, one number or one for each spatial axis.
        time_axis: whether time is a further coordinate, so that near times have similar fields: images are slices of a
            3D field, volumes of a 4D field. If not, each time has a field of its own.
        normalize: ``"none"`` as published (standard deviation about 0.5), or ``"unit"`` for about 1. With another
            standard deviation the same timestep of a diffusion hides more or less of an image.
        dims: number of coordinates; None means the spatial axes and, with ``time_axis``, time. One more is the channel:
            images in space, time and channel are slices of a 4D field.
        channels: ``"independent"``, each a field of its own at the channel coordinate 0, or ``"correlated"``: channel c
            is the slice c of one field, as published for DTU-Net. The distribution of one channel is the same.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        >>> noise = FractalSimplexNoise(spatial_dims=2)
        >>> noise(torch.zeros(2, 1, 32, 32), seeds=torch.tensor([1, 2])).shape
        torch.Size([2, 1, 32, 32])

    References:
        1. Wyatt et al., "AnoDDPM: Anomaly Detection with Denoising Diffusion Probabilistic Models using Simplex Noise",
           CVPR Workshops 2022, section 3.
        2. Kumar et al., "DTU-Net", WACV 2025, pp. 7917-7927 (the channel as a coordinate).
    """

    def __init__(
        self,
        spatial_dims: int,
        octaves: int = 6,
        persistence: float = 0.8,
        frequency: float = 64.0,
        spacing: float | Sequence[float] = 1.0,
        time_axis: bool = True,
        normalize: str = "none",
        dims: int | None = None,
        channels: str = "independent",
    ) -> None:
        check_spatial_dims(spatial_dims)
        check_at_least(1, octaves=octaves)
        check_positive(persistence=persistence, frequency=frequency)
        steps = (float(spacing),) * spatial_dims if isinstance(spacing, (int, float)) else tuple(map(float, spacing))
        if len(steps) != spatial_dims or min(steps) <= 0:
            raise ValueError(f"spacing={spacing}: one positive number, or one for each of {spatial_dims} axes.")
        check_choice(_NORMALIZE, normalize=normalize)
        check_choice(_CHANNELS, channels=channels)
        own = spatial_dims + time_axis
        chosen = own if dims is None else dims
        if chosen not in LATTICES or chosen - own not in (0, 1):
            raise ValueError(
                f"dims={dims}: must be {own}, the axes of space{' and time' if time_axis else ''}, or one more for the "
                f"channel; at most {max(LATTICES)}."
            )
        if channels == "correlated" and chosen == own:
            raise ValueError(
                f"channels={channels!r}: the channel needs a coordinate, dims={own + 1}"
                + (", but there are at most 4; volumes with time have independent channels." if own == 4 else ".")
            )
        self.spatial_dims = spatial_dims
        self.octaves = int(octaves)
        self.persistence = float(persistence)
        self.frequency = float(frequency)
        self.spacing = steps
        self.time_axis = time_axis
        self.normalize = normalize
        self.dims = chosen
        self.channels = channels

    def __repr__(self) -> str:
        """Name all parameters; without a channel coordinate as calibrations knew them before there was one."""
        names = [name for name in vars(self) if self._channel_axis or name not in ("dims", "channels")]
        return f"FractalSimplexNoise({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    @property
    def _channel_axis(self) -> bool:
        return self.dims > self.spatial_dims + self.time_axis

    def amplitudes(self) -> list[float]:
        """Give the factor of each octave, the divisor of the lattice included."""
        weights = [self.persistence**octave for octave in range(self.octaves)]
        scale = 1.0 / LATTICES[self.dims].norm
        if self.normalize == "unit":
            scale /= _OCTAVE_STD[self.dims] * math.hypot(*weights)
        return [scale * weight for weight in weights]

    def __call__(
        self, images: Tensor, seeds: Tensor, times: Tensor | None = None, origin: Sequence[int] | None = None
    ) -> Tensor:
        """Draw one field per image and channel.

        Args:
            images: ``(B, C, *spatial)``; gives shape, device and dtype.
            seeds: ``int64`` seeds ``(B,)``; equal seeds give equal fields.
            times: coordinate ``(B,)`` on the time axis, in voxels; None means 0.
            origin: index of the first voxel, one integer per spatial axis, if ``images`` are a tile; None means 0.

        Returns:
            Noise of the shape, device and dtype of ``images``.

        Raises:
            ValueError: if the tensors do not fit together.
        """
        if torch.compiler.is_compiling():
            # thousands of small operations would take minutes to compile; as a decorator of the method this would
            # import the compiler with the package
            return torch.compiler.disable(self._draw)(images, seeds, times, origin)
        return self._draw(images, seeds, times, origin)

    @torch.no_grad()
    def _draw(self, images: Tensor, seeds: Tensor, times: Tensor | None, origin: Sequence[int] | None) -> Tensor:
        check_call(images, seeds, self.spatial_dims, times)
        start = check_origin(origin, self.spatial_dims)
        batch, channels, *spatial = images.shape
        # correlated channels are one field, whose first axis they are; others are fields of their own
        together = channels if self.channels == "correlated" else 1
        lattice = LATTICES[self.dims]
        skew, device = lattice.stretch, images.device
        extents = list(zip(spatial, start, self.spacing, strict=True))
        if self._channel_axis:
            extents.insert(0, (together, 0, 1.0))
        axes = [
            voxel_axis_table(first, size, step, self.frequency, self.octaves, skew, device)
            for size, first, step in extents
        ]
        moments = None
        if self.time_axis:
            at = torch.zeros(batch, device=device) if times is None else times.to(device)
            wavelengths = octave_wavelengths(self.frequency, self.octaves, device)
            moments = axis_table(at.repeat_interleave(channels // together), wavelengths, skew)
        own = field_seeds(seeds.to(device), channels // together, None if self.time_axis else times).flatten()
        octave_seeds = counter_bits(own, self.octaves).to(torch.int32)
        fields = simplex_fields(octave_seeds, axes, moments, self.amplitudes(), lattice)
        return fields.reshape(images.shape).to(images.dtype)
