# SPDX-License-Identifier: Apache-2.0
"""Names of cases: unique, in the letters of any script, and safe as a part of a file name on every system."""

import hashlib
import os
import re
import unicodedata
from collections import Counter
from pathlib import Path

from ..errors import InputError
from ..formats.file_types import stem_of
from .items import CASE, SOURCE, SUBJECT_ID, Splits, image_paths

_MOST_BYTES, _HASH = 100, 8
_RESERVED = re.compile(
    r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?"  # devices of Windows, whatever the suffix
    r"|(run|metrics)\.json|(scores|failures|detections|froc)\.csv|report\.html|cases\.png"  # files of a run
)


def name_cases(splits: Splits, root: Path) -> None:
    """Give every item a unique, file-name-safe ``case``, its source, and a ``subject_id`` where it has none.

    A case is named by the file's stem; where that is not unique, by the path below ``root``; where that is not unique
    either, a number is added. An item of unknown subject is a subject of its own, named like the case: right if every
    image comes from another person, too optimistic for confidence intervals and calibration if not. The source is the
    path of the image below ``root``, or the whole path of one that lies elsewhere.

    Args:
        splits: changed in place.
        root: the data set's folder.

    Raises:
        InputError: if two items ask for the same ``case`` themselves.
    """
    items = [item for split in splits.values() for item in split]
    given = Counter(safe_name(str(item[CASE])) for item in items if CASE in item)
    double = sorted(name for name, count in given.items() if count > 1)
    if double:
        raise InputError(
            f"case {double[0]!r} occurs {given[double[0]]} times",
            where=root,
            expected="unique case names",
            remedy="Rename the cases in the data list.",
        )
    taken = {name.casefold() for name in given}
    stems = Counter(safe_name(stem_of(image_paths(item)[0])).casefold() for item in items)
    for item in items:
        if CASE in item:
            item[CASE] = safe_name(str(item[CASE]))
        else:
            path = image_paths(item)[0]
            name = safe_name(stem_of(path))
            if stems[name.casefold()] > 1:
                name = safe_name(_relative_name(path, root))
            item[CASE] = untaken(name, taken)
        taken.add(item[CASE].casefold())
        item.setdefault(SOURCE, "; ".join(_below(path, root) for path in image_paths(item)))
        item[SUBJECT_ID] = str(item.get(SUBJECT_ID, item[CASE]))


def safe_name(name: str) -> str:
    """Make a name that is safe as part of a file name on every system; never empty, at most 100 bytes long.

    Letters and digits of all scripts stay, in the composed form of Unicode (NFC), and so do dots, dashes and
    underscores inside. A long name ends with a hash of what is cut off; a name that a system or a run needs itself gets
    another beginning.

    Example:
        >>> [safe_name(name) for name in ("M\u00fcller 1", "\u5f20\u4e09", "a/b:c", "..", "scores.csv")]
        ['M\u00fcller_1', '\u5f20\u4e09', 'a_b_c', 'case', 'case_scores.csv']
    """
    readable = unicodedata.normalize("NFC", _in_unicode(name))
    kept = "".join(letter if letter in "._-" or _belongs_to_word(letter) else " " for letter in readable)
    safe = re.sub(r" +", "_", kept).strip("._") or "case"
    if _RESERVED.fullmatch(safe.casefold()):
        safe = f"case_{safe}"
    encoded = safe.encode()
    if len(encoded) <= _MOST_BYTES:
        return safe
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
    return f"{encoded[: _MOST_BYTES - _HASH - 1].decode(errors='ignore').rstrip('._')}_{digest}"


def untaken(name: str, taken: set[str]) -> str:
    """Add a number to a name if it is taken.

    Args:
        name: the name wanted.
        taken: names in use, casefolded: some file systems know no upper case.

    Returns:
        The name, or ``<name>_2``, ``<name>_3``, ...
    """
    candidate, number = name, 2
    while candidate.casefold() in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def _relative_name(path: str, root: Path) -> str:
    full = Path(path)
    parent = full.parent
    if parent.is_relative_to(root):
        parent = parent.relative_to(root)
    return "_".join([*(part for part in parent.parts if part != parent.anchor), stem_of(full)])


def _in_unicode(name: str) -> str:
    """Read the bytes of a name that is no UTF-8 as Latin-1, which names every byte."""
    if not any("\ud800" <= letter <= "\udfff" for letter in name):
        return name
    try:
        return os.fsencode(name).decode("latin-1")
    except UnicodeEncodeError:
        return name


def _belongs_to_word(letter: str) -> bool:
    return letter.isalnum() or unicodedata.category(letter).startswith("M")  # vowel signs of Indian scripts


def _below(path: str, root: Path) -> str:
    return str(Path(path).relative_to(root)) if Path(path).is_relative_to(root) else path
