# SPDX-License-Identifier: Apache-2.0
"""Unwrapping: the network itself, without what wraps it for several processes."""

from torch import nn


def unwrap_network(network: nn.Module) -> nn.Module:
    """Take a network out of ``DistributedDataParallel``; any other network is returned as it is.

    The wrapper puts ``module.`` in front of the names of the weights, and its forward pass exchanges buffers, so that a
    process with fewer images than the others would leave them waiting.

    Args:
        network: a network, possibly wrapped.

    Returns:
        The network that was wrapped; the same weights, not a copy.
    """
    return network.module if isinstance(network, nn.parallel.DistributedDataParallel) else network
