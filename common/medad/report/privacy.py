# SPDX-License-Identifier: Apache-2.0
"""Keep file names, which often name a patient, out of a report."""

import re

FILE_PLACEHOLDER = "[file]"
LONGEST_TEXT = 1000
"""Longer text is cut: the patterns take time that grows with the square of the length."""

_EXTENSION = (
    r"\.(?:nii(?:\.gz)?|mha|mhd|nrrd|nhdr|dcm|ima|png|jpe?g|tiff?|bmp|webp|jp2|gif|npy|npz|csv|hdr|img|zip|h5|mat|pt)\b"
)
_BEFORE_COLON = re.compile(r"^[^\n]*?[/\\][^\n]*?(?=: )")  # "{where}: {what}", the form of InputError
_QUOTED = re.compile(r"(?<=(['\"`]))[^'\"`\[\]\n]*[/\\][^'\"`\[\]\n]*(?=\1)")
_WITH_SPACES = re.compile(
    rf"(?<![^\s'\"=(\[])(?:[A-Za-z]:)?[/\\~][^\n'\"`,;]*?{_EXTENSION}(?:[/\\][^\s'\"`,;=\[\]()]*)?", re.IGNORECASE
)
_FILE_NAME = re.compile(rf"[^\s'\"`,;=\[\]()/\\]+{_EXTENSION}", re.IGNORECASE)
_TOKEN = re.compile(r"[^\s'\"`,;=\[\]()]*[/\\][^\s'\"`,;=\[\]()]*")
_HARMLESS = re.compile(
    r"\d+(?:\.\d+)?/\d+(?:\.\d+)?[.:]?"  # a fraction
    r"|and/or|n/a|mm/s"
    r"|(?![/\\~])(?![A-Za-z]:)(?!.*://)\S*\.(?:json|ya?ml)",  # the relative name of a configuration file
    re.IGNORECASE,
)


def redact_paths(text: str) -> str:
    """Replace everything that looks like a path or an image file name.

    Relative names of configuration files (``configs/train.json``) and fractions of numbers stay. It errs on the side of
    replacing too much; a path with spaces and without extension is found only in quotes or in front of ``": "``.

    Args:
        text: an error message, a command line; cut after ``LONGEST_TEXT`` characters.

    Returns:
        The text with ``[file]`` in place of the names.

    Example:
        >>> redact_paths("/data/Jane Doe/scan.nii.gz: 3 channels found")
        '[file]: 3 channels found'
    """
    if len(text) > LONGEST_TEXT:
        text = text[:LONGEST_TEXT] + "\u2026"
    text = _BEFORE_COLON.sub(FILE_PLACEHOLDER, text)
    for pattern in (_QUOTED, _WITH_SPACES, _TOKEN, _FILE_NAME):  # a name last: it may end a path
        text = pattern.sub(_replace, text)
    return text


def _replace(match: re.Match[str]) -> str:
    return match.group() if _HARMLESS.fullmatch(match.group()) else FILE_PLACEHOLDER
