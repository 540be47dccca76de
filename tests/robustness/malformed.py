# SPDX-License-Identifier: Apache-2.0
"""The fuzzer: a folder with any number of malformed images, the same ones for the same seed."""

import re
import shutil
from pathlib import Path

import numpy as np
from byte_mutations import BYTE_MUTATIONS
from field_mutations import FIELD_MUTATIONS
from good_files import GOOD
from strange_entries import STRANGE


def write_malformed(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """Write ``count`` malformed images into a folder: all forms and all kinds of damage take turns.

    Args:
        folder: new folder for the files; a damaged DICOM series is a subfolder of it.
        count: number of images.
        seed: of all random choices.

    Returns:
        The paths, sorted; the name tells number, damage and form: ``0017_truncated_gray.png``.
    """
    folder.mkdir(parents=True)
    (folder / "intact").mkdir()
    intact = write_good(folder / "intact")
    paths = []
    for number, (name, write) in enumerate([*STRANGE.items()][:count]):
        paths.append(folder / f"{number:04d}_{name}")
        write(paths[-1])
    for number in range(len(paths), count):
        # half of the damage is in the bytes, half in the fields of the header
        turn, form = divmod(number, len(GOOD))
        source = intact[form]
        kinds = (BYTE_MUTATIONS, FIELD_MUTATIONS[".dcm" if source.is_dir() else source.suffix])[turn % 2]
        damage = kinds[turn // 2 % len(kinds)]
        path = folder / f"{number:04d}_{damage.__name__}_{source.name}"
        random = np.random.default_rng([seed, number])
        victim = path
        if source.is_dir():
            shutil.copytree(source, path)
            victim = path / f"{int(random.integers(3))}.dcm"
            source = source / victim.name
        data = source.read_bytes()
        if victim is path:  # a series of its own for every file, or the damaged ones would be slices of one
            data = re.sub(rb"1\.2\.3\.4\.5\.\d", f"1.2.{1000000 + number}".encode(), data)
        victim.write_bytes(damage(data, random))
        paths.append(path)
    shutil.rmtree(folder / "intact")
    return sorted(paths)


def write_good(folder: Path, prefix: str = "") -> list[Path]:
    """Write one intact image of every form into a folder and return the paths in the order of ``GOOD``."""
    paths = {folder / f"{prefix}{name}": write for name, write in GOOD.items()}
    for path, write in paths.items():
        write(path)
    return [*paths]
