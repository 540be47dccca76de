# SPDX-License-Identifier: Apache-2.0
"""Autoencoders, and the convolutions and features that only they use."""
