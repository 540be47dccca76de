# SPDX-License-Identifier: Apache-2.0
"""Every folder here needs an environment of its own and runs only where it is named, as its make target does."""

from __future__ import annotations

from pathlib import Path

collect_ignore = [folder.name for folder in Path(__file__).parent.iterdir() if folder.is_dir()]
