# SPDX-License-Identifier: Apache-2.0
"""Metadata of a release: required packages, and the shapes of what goes in and comes out."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from ..keys import Keys


def release_metadata(
    metadata: Mapping[str, Any],
    image_shape: Sequence[int],
    out_channels: int,
    backbone: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Describe a release, whose overlays may have changed dimension, size and channels.

    Args:
        metadata: metadata of the bundle.
        image_shape: ``(C, *spatial)`` of an image on the grid of the network.
        out_channels: channels that the network gives for such an image.
        backbone: what frozen features come from, where the network has some
            (:meth:`medad.networks.FrozenFeatures.describe`).

    Returns:
        The metadata with these numbers, and without medad among the required packages, since the release brings it.
    """
    in_channels, *image_size = image_shape
    released = copy.deepcopy(dict(metadata))
    released["required_packages_version"].pop("medad", None)
    form = released["network_data_format"]
    image, pred = form["inputs"][Keys.IMAGE], form["outputs"][Keys.PRED]
    for entry, channels in ((image, in_channels), (pred, out_channels)):
        entry |= {"num_channels": channels, "spatial_shape": [int(size) for size in image_size]}
    if len(image.get("channel_def", {})) != in_channels:
        image["channel_def"] = {str(index): f"image {index}" for index in range(in_channels)}
    for name, entry in form.get("post_processed_outputs", {}).items():
        entry["spatial_shape"] = ["*"] * len(image_size)
        if name == Keys.RECONSTRUCTION:
            entry |= {"num_channels": in_channels, "channel_def": image["channel_def"]}
    if backbone is not None:
        released["backbone"] = dict(backbone)
    return released
