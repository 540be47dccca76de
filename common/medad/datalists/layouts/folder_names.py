# SPDX-License-Identifier: Apache-2.0
"""Names of folders: which splits they hold, and which of them hold normal images."""

import re

from ..items import CALIBRATION, TEST, TRAINING, VALIDATION

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), TRAINING),
    **dict.fromkeys(("validation", "valid", "val"), VALIDATION),
    **dict.fromkeys(("calibration", "calib"), CALIBRATION),
    **dict.fromkeys(("test", "testing"), TEST),
}
MASKS = ("masks", "mask")

_NORMAL = {
    *("normal", "normals", "norm", "good", "ok", "healthy", "unremarkable", "negative", "negatives", "neg"),
    *("control", "controls", "hc", "cn"),  # healthy controls, cognitively normal
}
_NEUTRAL = {
    *("image", "images", "scan", "scans", "slice", "slices", "subject", "subjects", "volunteers"),
}
_NOTHING = ("no", "without")
_FINDINGS = (
    *("finding", "findings", "tumor", "tumors", "tumour", "tumours", "lesion", "lesions", "disease", "pathology"),
    *("anomaly", "anomalies", "abnormality", "abnormalities", "defect", "defects"),
)
_NOTHING_FOUND = {f"{nothing}{finding}" for nothing in _NOTHING for finding in _FINDINGS}


def split_of(name: str) -> str | None:
    """Name the split that a folder holds, whatever the case of its letters; ``None`` for another folder."""
    return SPLIT_NAMES.get(name.casefold())


def is_normal(name: str) -> bool:
    """Say whether a folder of this name holds normal images.

    Example:
        >>> [is_normal(name) for name in ("Normal", "healthy_controls", "No Finding", "abnormal", "not_normal")]
        [True, True, True, False, False]
        >>> [is_normal(name) for name in ("normal images", "without_lesions", "NoTumor", "no", "images")]
        [True, True, True, False, False]
        >>> [is_normal(name) for name in ("case_control", "cases_controls")]
        [False, False]
    """
    words = [word for word in _words(name) if word not in _NEUTRAL]
    return "".join(words) in _NOTHING_FOUND or (bool(words) and _NORMAL.issuperset(words))


def sounds_normal(name: str) -> bool:
    """Say whether a name that is none of those for normal images has a word of them in it, such as ``normal_brain``."""
    return not is_normal(name) and not _NORMAL.isdisjoint(_words(name))


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", name.casefold())
