# SPDX-License-Identifier: Apache-2.0
"""The U-shaped vision transformer of diffusion models, and its blocks."""
