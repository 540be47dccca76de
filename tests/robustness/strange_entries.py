# SPDX-License-Identifier: Apache-2.0
"""Entries of a folder that have the name of an image and are something else: links, pipes, devices, folders."""

import gzip
import os
import socket
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
from good_files import GOOD, UNDECODABLE


def _self_link(path: Path) -> None:
    path.symlink_to(path.name)


def _loop(path: Path) -> None:
    other = path.with_name("other_end_of_the_loop")
    other.symlink_to(path.name)
    path.symlink_to(other.name)


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "readme.txt").write_text("an archive was unpacked into a folder of its name")


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket may have 108 bytes only
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def _copy_of(name: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        GOOD[name](path.with_name(f"moving_{name}"))
        path.with_name(f"moving_{name}").rename(path)

    return write


def _nifti(array: np.ndarray) -> Callable[[Path], None]:
    return lambda path: nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)


STRANGE: dict[str, Callable[[Path], None]] = {
    "dangling_link.png": lambda path: path.symlink_to("nowhere.png"),
    "dangling_link.dcm": lambda path: path.symlink_to("nowhere.dcm"),
    "link_to_itself.nii.gz": _self_link,
    "loop_of_links.tif": _loop,
    "pipe.png": os.mkfifo,
    "pipe.nii": os.mkfifo,
    "pipe.tif": os.mkfifo,
    "pipe.dcm": os.mkfifo,
    "endless_device.nii": lambda path: path.symlink_to("/dev/zero"),
    "endless_device.png": lambda path: path.symlink_to("/dev/zero"),
    "endless_device.dcm": lambda path: path.symlink_to("/dev/zero"),
    "empty_device.tif": lambda path: path.symlink_to("/dev/null"),
    "socket.jpg": _socket,
    "folder.png": _folder,
    "folder.nii.gz": _folder,
    "nifti_inside.png": _copy_of("short.nii"),
    "nifti_inside.dcm": _copy_of("short.nii"),
    "png_inside.nii.gz": _copy_of("gray.png"),
    "png_inside.dcm": _copy_of("gray.png"),
    "dicom_inside.tif": _copy_of("single.dcm"),
    "dicom_inside.nii": _copy_of("single.dcm"),
    "not_unpacked.nii": _copy_of("short.nii.gz"),
    "unpacked.nii.gz": _copy_of("short.nii"),
    "text_inside.nii.gz": lambda path: path.write_bytes(gzip.compress(b"no image " * 100, mtime=0)),
    "program.dcm": lambda path: path.write_text("#!/bin/sh\necho no image\n" * 50),
    "complex_numbers.nii": _nifti(np.ones((4, 4, 4), dtype=np.complex64)),
    "colors.nii": _nifti(np.zeros((4, 4, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])),
    "constant.nii.gz": _nifti(np.full((8, 8, 8), 7, dtype=np.uint8)),
    "not_a_number.nii": _nifti(np.full((8, 8, 8), np.nan, dtype=np.float32)),
    "five_axes.nii": _nifti(np.arange(64, dtype=np.uint8).reshape(2, 4, 2, 2, 2)),
    "one_voxel_thin.nii": _nifti(np.arange(2000, dtype=np.int16).reshape(1, 1, 2000)),
    "two_values_beyond_float32.nii": _nifti(np.asarray([[[1e300, -1e300], [0, 1]]])),
    "strange name\n\t\u00fc.png": lambda path: path.write_bytes(b"no image"),
    **UNDECODABLE,
}
"""How each entry is made, by its name; all of them are at most readable, none may hang or fail loudly."""
