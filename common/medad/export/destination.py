# SPDX-License-Identifier: Apache-2.0
"""Destination of a release: what may be replaced there, and what is said where nothing can be written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError


def is_release(folder: Path) -> bool:
    """Say whether a folder is a bundle with its code, as medad exports it."""
    return (folder / "scripts" / "medad" / "__init__.py").is_file()


def require_outside(folder: Path, bundle: Path) -> None:
    """Refuse to write into the bundle or over it.

    Args:
        folder: the release, resolved.
        bundle: the bundle, resolved.

    Raises:
        InputError: if one lies in the other.
    """
    if folder == bundle or folder in bundle.parents or bundle in folder.parents:
        raise InputError(
            "the release would be written into the bundle, or over it",
            where=folder,
            expected="a folder elsewhere",
            remedy="Choose another --out, such as dist.",
        )


def require_replaceable(folder: Path, archive: Path) -> None:
    """Refuse to replace what is no release.

    Args:
        folder: the release as a folder; it may be missing or empty, or hold an earlier release.
        archive: the same as a zip file; it may be missing or a file.

    Raises:
        InputError: if something else stands there.
    """
    free = not folder.exists() or (folder.is_dir() and (is_release(folder) or not any(folder.iterdir())))
    if not free or archive.is_dir():
        raise InputError(
            "something that is no release stands there, and would be replaced",
            where=archive if free else folder,
            expected="nothing, an empty folder, or an earlier release",
            remedy="Choose another --out, or move it away.",
        )


@contextmanager
def writing_to(out: Path) -> Iterator[None]:
    """Turn a refusal of the system into an error for the user.

    Args:
        out: the folder that the user named.

    Raises:
        InputError: in the place of an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            f"the release cannot be written there ({error.strerror or error})",
            where=out,
            expected="a folder in which files can be made",
            remedy="Choose another --out, such as dist.",
        ) from error
