# SPDX-License-Identifier: Apache-2.0
"""New bundles, and the configs of all bundles, from skeletons."""

from .create import create_bundle
from .skeleton import bundle_configs, kinds, read_method, write_configs

__all__ = ["bundle_configs", "create_bundle", "kinds", "read_method", "write_configs"]
