# SPDX-License-Identifier: Apache-2.0
"""Fetch published weights of a backbone, where there is a network: ``python -m medad.fetch_backbone``."""

from .fetch import fetch_weights
from .sources import published_channels, published_url

__all__ = ["fetch_weights", "published_channels", "published_url"]
