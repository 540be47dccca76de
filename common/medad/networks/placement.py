# SPDX-License-Identifier: Apache-2.0
"""Placement of a network on its device, in the form that runs fastest there."""

import torch
from torch import nn

from .atlas.normative_spread import NormativeSpread, attach_spread


def place_network(
    network: nn.Module,
    device: torch.device | str,
    channels_last: bool = False,
    compiled: bool = False,
    spread: NormativeSpread | None = None,
) -> nn.Module:
    """Move a network, and change how it is stored and executed; the names of its weights stay the same.

    Args:
        network: network to move, in place.
        device: where to.
        channels_last: whether the weights of convolutions are stored with the channels last, which tensor cores like.
        compiled: whether ``torch.compile`` translates the network at its first call, and again for other batch sizes.
        spread: what its residuals are divided by; it becomes a part of the network's state dict.

    Returns:
        The same network.
    """
    if spread is not None:
        attach_spread(network, spread)
    network.to(device)
    if channels_last:
        volumes = any(parameter.ndim == 5 for parameter in network.parameters())
        form = torch.channels_last_3d if volumes else torch.channels_last
        network.to(memory_format=form)  # type: ignore[call-overload]  # missing in torch's annotations
    if compiled:
        network.compile()
    return network
