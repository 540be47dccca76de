# SPDX-License-Identifier: Apache-2.0
"""Code of a release: all releases call it ``scripts``, and Python keeps the first that it finds.

The configurations of a release execute this file by its path before anything is built, so it imports nothing of medad.
"""

import os
import sys
from pathlib import Path
from types import ModuleType

_KEPT = "modules_of_other_releases"
"""A module that is never imported: it holds, by release, modules that are not in use. This file is executed anew each
time and cannot hold them."""


def use_release_code(bundle_root: str | os.PathLike[str]) -> None:
    """Put a release first on the import path, and its modules in the place of those of any other bundle.

    Modules of another release are kept and come back with it, so that what it has built always meets the same classes;
    an object travels to a worker process only where its class is the one that its name leads to.

    Args:
        bundle_root: folder of the release, with ``scripts`` in it.
    """
    root = Path(bundle_root).resolve()
    sys.path[:] = [str(root), *(entry for entry in sys.path if entry != str(root))]
    file = getattr(sys.modules.get("scripts"), "__file__", None)
    in_use = None if file is None else Path(file).resolve().parents[1]
    if in_use == root:
        return
    kept = vars(sys.modules.setdefault(_KEPT, ModuleType(_KEPT)))
    others = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "scripts"}
    if in_use is not None:
        kept[str(in_use)] = others
    sys.modules.update(kept.pop(str(root), {}))
