# SPDX-License-Identifier: Apache-2.0
"""A bundle for others: a self-contained release and exported networks, ``python -m medad.export``."""

from .release import Release, export_bundle

__all__ = ["Release", "export_bundle"]
