# SPDX-License-Identifier: Apache-2.0
"""Folder layouts of data sets: each module says whether a path has its layout, and lists the images by split."""

from .registry import Layout, choose_layout, known_layouts

__all__ = ["Layout", "choose_layout", "known_layouts"]
