# SPDX-License-Identifier: Apache-2.0
"""Phantom data set: images, lesion masks and ``datalist.json``, complete or not at all.

Subject i of a split has the index ``offset(split) + i``, so a larger data set of the same seed contains the smaller
one. In validation and test every second subject has a lesion, the four kinds in turn.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from ..errors import InputError
from ..files import atomic_path
from ..keys import Keys
from .lesions import LesionKind
from .sample import PHANTOM_VERSION, abnormal_phantom, check_image_size, healthy_phantom

logger = logging.getLogger(__name__)

DATALIST = "datalist.json"
DEFAULT_COUNTS = {"training": 256, "training_abnormal": 0, "calibration": 64, "validation": 64, "test": 128}
"""Images per split, in the order of the splits."""

INTENSITY_UNIT = 16000
"""Stored value of the intensity 1; images are written as 16-bit integers."""

FIELD_OF_VIEW_MM = 220.0
"""Extent of the shortest axis of a volume."""

_SUBJECTS_PER_SPLIT = 1_000_000


def write_phantom_dataset(
    out: str | os.PathLike[str],
    spatial_dims: int = 2,
    image_size: Sequence[int] | None = None,
    counts: Mapping[str, int] | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Path:
    """Write a phantom data set, or leave it as it is where it is already there.

    2D images are 16-bit gray PNG files (columns: x, rows: y), volumes NIfTI files in RAS orientation; masks are 0/255
    in PNG and 0/1 in NIfTI. The files are written to a folder beside ``out``, which takes its name when it is complete.

    Args:
        out: folder to write; missing, empty, or a finished phantom data set of the same arguments.
        spatial_dims: 2 or 3.
        image_size: voxels per axis, at least 16; by default 128 x 128 or 48 x 48 x 48.
        counts: images per split; splits not named keep their number in `DEFAULT_COUNTS`.
        seed: of the population.
        progress: show a progress bar.

    Returns:
        Path of ``datalist.json``. Its items have ``image``, ``label``, ``subject_id``, and ``mask`` and ``kind`` where
        there is a lesion; paths are relative to the folder.

    Raises:
        ValueError: if a size, count or seed is out of range.
        InputError: if ``out`` holds something else.
    """
    out = Path(out).absolute()
    size = check_image_size(spatial_dims, image_size)
    parameters = {
        "phantom_version": PHANTOM_VERSION,
        "spatial_dims": spatial_dims,
        "image_size": list(size),
        "counts": _check_counts(counts),
        "seed": seed,
    }
    if _is_finished(out, parameters):
        logger.info("%s is already there", out)
        return out / DATALIST
    try:
        with atomic_path(out, many_writers=True) as partial:
            _write(partial, parameters, progress)
    except OSError:  # another process with the same arguments may have come first
        if not _is_finished(out, parameters):
            raise
    return out / DATALIST


def _check_counts(counts: Mapping[str, int] | None) -> dict[str, int]:
    given = dict(counts or {})
    unknown = sorted(set(given) - set(DEFAULT_COUNTS))
    if unknown:
        raise ValueError(f"counts has the unknown splits {unknown}, expected some of {list(DEFAULT_COUNTS)}")
    merged = {split: int(given.get(split, default)) for split, default in DEFAULT_COUNTS.items()}
    for split, count in merged.items():
        if not 0 <= count < _SUBJECTS_PER_SPLIT:
            raise ValueError(f"counts[{split!r}] is {count}, expected 0 to {_SUBJECTS_PER_SPLIT - 1}")
    return merged


def _is_finished(out: Path, parameters: dict[str, Any]) -> bool:
    """Tell a finished data set of the same arguments from a free place; anything else is an error."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    found: object = None
    if (out / DATALIST).is_file():
        try:
            found = json.loads((out / DATALIST).read_text(encoding="utf-8"))
        except ValueError:
            found = None
    stored = found.get("parameters") if isinstance(found, dict) else None
    if stored == parameters:
        return True
    if isinstance(stored, dict) and "phantom_version" in stored:
        differing = [key for key, value in parameters.items() if stored.get(key) != value]
        what = f"a phantom data set of other arguments found (different: {', '.join(differing)})"
    else:
        what = "a folder with other files found" if out.is_dir() else "a file found"
    raise InputError(
        what,
        where=out,
        expected="a missing or empty folder, or a finished phantom data set of the same arguments",
        remedy="Choose another folder, or delete this one.",
    )


def _write(folder: Path, parameters: dict[str, Any], progress: bool) -> None:
    dims, counts = parameters["spatial_dims"], parameters["counts"]
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    splits: dict[str, list[dict[str, object]]] = {split: [] for split, count in counts.items() if count}
    with tqdm(total=sum(counts.values()), desc="phantoms", unit="image", disable=not progress) as bar:
        for split, number, index, kind in _subjects(counts):
            item = _write_subject(folder, f"{split}_{number:05d}", index, kind, parameters)
            splits[split].append(item)
            bar.update()
    datalist = {
        "name": f"medad phantom {dims}D",
        "description": f"Synthetic head-like {'sections' if dims == 2 else 'volumes'} with synthetic lesions. "
        "Label 0: normal, 1: abnormal.",
        "parameters": parameters,
        **splits,
    }
    (folder / DATALIST).write_text(json.dumps(datalist, indent=4) + "\n", encoding="utf-8")


def _subjects(counts: Mapping[str, int]) -> Iterator[tuple[str, int, int, LesionKind | None]]:
    """Split, number in the split, subject index and lesion kind (``None``: healthy) of every image."""
    kinds = list(LesionKind)
    for position, split in enumerate(DEFAULT_COUNTS):
        for number in range(counts[split]):
            kind = None
            if split == "training_abnormal":
                kind = kinds[number % len(kinds)]
            elif split in ("validation", "test") and number % 2:
                kind = kinds[number // 2 % len(kinds)]
            yield split, number, position * _SUBJECTS_PER_SPLIT + number, kind


def _write_subject(
    folder: Path, stem: str, index: int, kind: LesionKind | None, parameters: dict[str, Any]
) -> dict[str, object]:
    seed, dims, size = parameters["seed"], parameters["spatial_dims"], parameters["image_size"]
    suffix = ".png" if dims == 2 else ".nii.gz"
    item: dict[str, object] = {
        Keys.IMAGE.value: f"images/{stem}{suffix}",
        Keys.LABEL.value: int(kind is not None),
        Keys.SUBJECT_ID.value: f"phantom_{index:07d}",
    }
    if kind is None:
        image = healthy_phantom(seed, index, dims, size)
    else:
        image, mask, name = abnormal_phantom(seed, index, dims, size, kind)
        item[Keys.MASK.value] = f"masks/{stem}{suffix}"
        item["kind"] = name
        save_array(folder / f"masks/{stem}{suffix}", mask * np.uint8(255) if dims == 2 else mask)
    dtype = np.uint16 if dims == 2 else np.int16
    stored = np.clip(np.rint(image * INTENSITY_UNIT), 0, np.iinfo(np.int16).max).astype(dtype)
    save_array(folder / f"images/{stem}{suffix}", stored)
    return item


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array on the phantom's axes (x to the left, y to posterior, z to superior).

    Args:
        path: ``.png`` for an array ``(X, Y)``, else NIfTI for an array ``(X, Y, Z)``, which is flipped to RAS.
        array: uint8 or uint16 for PNG, uint8 or int16 for NIfTI.
    """
    if path.suffix == ".png":
        Image.fromarray(np.ascontiguousarray(array.T)).save(path)
        return
    spacing = FIELD_OF_VIEW_MM / min(array.shape)
    affine = np.diag([spacing] * 3 + [1.0])
    affine[:3, 3] = [-spacing * (size - 1) / 2 for size in array.shape]
    volume = nib.Nifti1Image(np.ascontiguousarray(array[::-1, ::-1]), affine)
    volume.header.set_xyzt_units("mm")
    nib.save(volume, path)
