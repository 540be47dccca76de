# SPDX-License-Identifier: Apache-2.0
"""Perceptual distances: how different two images look, voxel by voxel."""
