# SPDX-License-Identifier: Apache-2.0
"""Parity of an exported network with the original, for other inputs than it was exported with."""

import inspect
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from ..errors import InputError

Inputs = tuple[Tensor, ...]

TOLERANCE = 1e-4
"""Largest difference, as a share of the range of the network's output."""

_TIMESTEPS = "timesteps"


def takes_timesteps(network: nn.Module) -> bool:
    """Say whether a network is called with timesteps beside the image."""
    return _TIMESTEPS in inspect.signature(network.forward).parameters


def example_inputs(network: nn.Module, shape: Sequence[int], seed: int = 0) -> Inputs:
    """Make the inputs that an inferer gives a network.

    Args:
        network: the network.
        shape: ``(B, C, *spatial)`` of the image.
        seed: another one gives another image and other timesteps.

    Returns:
        Image in [0, 1]; for a network of a diffusion model also ``int64`` timesteps ``(B,)``, all different.
    """
    image = torch.rand(*shape, generator=torch.Generator().manual_seed(seed))
    if not takes_timesteps(network):
        return (image,)
    return image, 7 * torch.arange(shape[0]) + seed + 1


def other_inputs(network: nn.Module, shape: Sequence[int]) -> Iterator[Inputs]:
    """Make inputs of another batch, other timesteps and, where the network takes one, another size.

    Args:
        network: the network.
        shape: ``(B, C, *spatial)`` that it was exported with.

    Yields:
        Inputs.
    """
    batch, channels, *spatial = shape
    yield example_inputs(network, (1, channels, *spatial), seed=1)
    yield example_inputs(network, (batch + 1, channels, *spatial), seed=2)
    size = other_size(network, shape)
    if size is not None:
        yield example_inputs(network, (1, channels, *size), seed=3)


def other_size(network: nn.Module, shape: Sequence[int]) -> tuple[int, ...] | None:
    """Find another size of image that a network takes.

    Args:
        network: the network.
        shape: ``(B, C, *spatial)`` that it takes.

    Returns:
        Half the size, or the last axis twice as long; ``None`` if the network refuses both.
    """
    _, channels, *spatial = shape
    for size in ([axis // 2 for axis in spatial], [*spatial[:-1], 2 * spatial[-1]]):
        try:
            with torch.no_grad():
                network(*example_inputs(network, (1, channels, *size)))
        except (ValueError, RuntimeError):  # a size that networks check, and one that torch stumbles over
            continue
        return tuple(size)
    return None


def largest_difference(network: Callable[..., Tensor], exported: Callable[..., Tensor], inputs: Inputs) -> float:
    """Compare an exported network with the network.

    Args:
        network: the network, in evaluation mode.
        exported: what was made from it.
        inputs: what both are called with.

    Returns:
        Largest absolute difference as a share of the range of the network's output.
    """
    with torch.no_grad():
        expected, found = network(*inputs), exported(*inputs)
    if found.shape != expected.shape:
        return float("inf")
    span = (expected.max() - expected.min()).clamp_min(torch.finfo(expected.dtype).tiny)
    return float((found - expected).abs().max() / span)


def require_parity(
    network: nn.Module, exported: Callable[..., Tensor], shape: Sequence[int], form: str, method: str | None = None
) -> None:
    """Refuse an exported network that differs from the network.

    Args:
        network: the network, in evaluation mode.
        exported: what was made from it.
        shape: ``(B, C, *spatial)`` that it was exported with.
        form: what it was exported to, for the message.
        method: the method to compare; by default the call.

    Raises:
        InputError: naming the inputs for which they differ.
    """
    asked, answering = (each if method is None else getattr(each, method) for each in (network, exported))
    for inputs in other_inputs(network, shape):
        difference = largest_difference(asked, answering, inputs)
        if not difference < TOLERANCE:
            raise InputError(
                f"the exported network differs by {difference:.2g} of the output's range "
                f"for an image of shape {tuple(inputs[0].shape)}",
                where=form,
                expected=f"less than {TOLERANCE:g}",
                remedy="Leave this form out and use the network itself.",
            )
