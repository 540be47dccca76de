# SPDX-License-Identifier: Apache-2.0
"""DICOM faults: what is wrong with a file, told without the words of a library, which quote its header."""

import re
from typing import Any

from monai.utils import optional_import

pydicom, _ = optional_import("pydicom")

_TAG = re.compile(r"\(([0-9A-Fa-f]{4}),\s?([0-9A-Fa-f]{4})\)")
_WORD = re.compile(r"\b[A-Z]\w{3,}\b")


class DicomFault(ValueError):  # noqa: N818  # it is the fault of a file
    """A fault of a DICOM file in words that quote no text of it."""


def fault_of(error: BaseException) -> str:
    """Say what could not be done with a DICOM file.

    Args:
        error: a :class:`DicomFault`, whose words are told, or what a library has raised.

    Returns:
        Of a library the kind of its error, and which of the attributes that DICOM defines it names: values are free
        text, and may be those of a patient.
    """
    text = str(error)
    if isinstance(error, DicomFault):
        return text
    tagged = {pydicom.datadict.keyword_for_tag(int(group + element, 16)) for group, element in _TAG.findall(text)}
    named = {word for word in _WORD.findall(text) if pydicom.datadict.tag_for_keyword(word) is not None}
    names = ", ".join(sorted(filter(None, tagged | named)))
    return f"{type(error).__name__}{' at ' if names else ''}{names}"


def name_of_uid(uid: Any) -> str:
    """Name a UID that DICOM defines; any other is text, and is not told."""
    known = pydicom.uid.UID(str(uid or ""), validation_mode=pydicom.config.IGNORE)
    return str(known.name) if known.name != known else "one that DICOM does not define"
