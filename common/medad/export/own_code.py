# SPDX-License-Identifier: Apache-2.0
"""Make a process use the code of one release: all releases call it ``scripts``, and Python keeps the first it finds.

The configurations of a release execute this file by its path before anything is built, so it imports nothing of medad.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def use_own_code(bundle_root: str | os.PathLike[str]) -> None:
    """Put a release first on the import path, and forget the ``scripts`` of any other bundle.

    What another bundle has built keeps its own code; only what is imported from now on comes from here.

    Args:
        bundle_root: folder of the release, with ``scripts`` in it.
    """
    root = Path(bundle_root).resolve()
    sys.path[:] = [str(root), *(entry for entry in sys.path if entry != str(root))]
    file = getattr(sys.modules.get("scripts"), "__file__", None)
    if file is None or Path(file).resolve().parent != root / "scripts":
        for name in [name for name in sys.modules if name.split(".")[0] == "scripts"]:
            del sys.modules[name]
