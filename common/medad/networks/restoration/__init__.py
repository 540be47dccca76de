# SPDX-License-Identifier: Apache-2.0
"""Networks that find synthetic lesions and undo them."""
