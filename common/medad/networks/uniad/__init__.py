# SPDX-License-Identifier: Apache-2.0
"""The transformer of UniAD, and its blocks."""
