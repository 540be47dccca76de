# SPDX-License-Identifier: Apache-2.0
"""Features of published networks: frozen, trainable, reconstructed."""
