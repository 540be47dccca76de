# SPDX-License-Identifier: Apache-2.0
"""Begin a bundle: a folder that runs, and passes the tests of all bundles, before anything in it is changed."""

import re
import shutil
from pathlib import Path

from ..errors import InputError
from ..files import atomic_path
from .skeleton import METHOD, SKELETONS, kinds, read_method, to_text, write_configs

_NO_NAMES = ("detection", "classification", "deepedit", "deepgrow")
"""Words that make MONAI Label take a bundle for something else."""


def create_bundle(name: str, like: str, out: Path) -> Path:
    """Write a new bundle.

    Args:
        name: its name, ``[a-z0-9_]+``.
        like: the skeleton that it begins as (:func:`~.skeleton.kinds`), or another bundle in ``out``.
        out: folder of the bundles, beside the license of the project.

    Returns:
        Its folder.

    Raises:
        InputError: if the name cannot be used or is taken, there is nothing to be like, or ``out`` is no such folder.
    """
    bundle, license_file = out / name, out.resolve().parent / "LICENSE"
    taken = name in (path.stem for path in SKELETONS.glob("*.json"))
    if not re.fullmatch(r"[a-z0-9_]+", name) or any(word in name for word in _NO_NAMES) or taken:
        raise InputError(
            f"{name!r} cannot be the name of a bundle",
            where="new bundle",
            expected=f"lower-case letters, digits and _, not the name of a skeleton, and without "
            f"{', '.join(_NO_NAMES)}, which MONAI Label misreads",
            remedy="Choose another name.",
        )
    if bundle.exists() or not license_file.is_file():
        raise InputError(
            "there is a bundle of this name" if bundle.exists() else "no project there: it has no LICENSE",
            where=bundle if bundle.exists() else license_file.parent,
            expected="a new folder beside the other bundles",
            remedy="Choose another name or another --out.",
        )
    likes = [*kinds(), *(path.parent.name for path in sorted(out.glob(f"*/{METHOD}")))]
    if like not in likes:
        raise InputError(
            f"nothing is called {like!r}",
            where="--like",
            expected=f"one of {', '.join(likes)}",
            remedy="Correct the name.",
        )
    title = name.replace("_", " ").capitalize()
    with atomic_path(bundle) as folder:
        for part in ("configs", "docs"):
            (folder / part).mkdir(parents=True)
        shutil.copy(license_file, folder / "LICENSE")
        shutil.copy(SKELETONS / "logging.conf", folder / "configs" / "logging.conf")
        own = {
            "version": "0.1.0",
            "changelog": {"0.1.0": "first version"},
            "name": f"{title} - what the method is called in its paper",
            "description": "What the network learns from healthy images, and what its anomaly map is.",
            "eval_metrics": {},
            "references": [],
        }
        (folder / METHOD).write_text(to_text({"like": like, "metadata": own}), "utf-8")
        versions = read_method(folder / METHOD, beside=out)["metadata"]
        words = {"title": title, "monai": versions["monai_version"], "torch": versions["pytorch_version"]}
        for source, target in (("card.md", "README.md"), ("data_license.txt", "data_license.txt")):
            text = (SKELETONS / source).read_text("utf-8")
            filled = text.format(**words)
            (folder / "docs" / target).write_text(filled, "utf-8")
    write_configs(bundle)
    return bundle
