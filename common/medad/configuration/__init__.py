# SPDX-License-Identifier: Apache-2.0
"""What a bundle's JSON becomes: files, overlays, overrides, the parts they describe, the workflow."""

from .config import PathLike, build, config_files, is_overlay_of, read_config
from .data_values import as_data
from .overrides import parse_paths, parse_value, split_overrides
from .settings_record import record_settings
from .workflow import open_workflow

__all__ = [
    "PathLike",
    "as_data",
    "build",
    "config_files",
    "is_overlay_of",
    "open_workflow",
    "parse_paths",
    "parse_value",
    "read_config",
    "record_settings",
    "split_overrides",
]
