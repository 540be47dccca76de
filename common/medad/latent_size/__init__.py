# SPDX-License-Identifier: Apache-2.0
"""Choose the latent size of an autoencoder without labels: ``python -m medad.latent_size``."""

from .knee_point import knee
from .trials import Trial, sweep

__all__ = ["Trial", "knee", "sweep"]
