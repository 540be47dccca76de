# SPDX-License-Identifier: Apache-2.0
"""The normative atlas: a bank of normal images, and what it expects of a new one."""
