# SPDX-License-Identifier: Apache-2.0
"""Damage to a data list: to the values in it, to its structure, and to the text of the file."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Random = np.random.Generator
Place = tuple[Any, Any]
"""A container, and the key or index of a value in it."""

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, -1, 0.5, 1e308, -1e308, 10**400, float("nan"), float("inf"), "", " ", "0"),
    *("1", "normal"),
    *("nan", "gone.png", ".", "..", "/", "/dev/zero", "/dev/null", "~", "a\0b.png"),
    *("a\nb", "$__import__('os').mkdir('ran')"),
    *("@image", "%network", "a.npz#images[0]", "x" * 5000, "\udcff", "\u202e", "[1, 2]", [], {}, [[]], [None]),
    *([1], ["a.png", None]),
    *([[1, 2]], [[1, 2, 3, 4, 5]], [["a", "b", "c"]], [[float("nan"), 1, 1]], [[10**9, 1, 1]]),
    *([[1, 1, -1]], [[1, 2, 3], [1]]),
    *([[True, False, True]], {"x": 1}, {"image": "a.png"}, [{"image": "a.png"}], [[[[[[1]]]]]], ["a.png"] * 300),
)  # fmt: skip
_KEYS = (
    *("image", "label", "mask", "foreground", "circles", "subject_id", "case", "source_file", "dataset"),
    *("detections", "pred"),
    *("anomaly_map", "failure", "training", "training_abnormal", "validation", "calibration", "test"),
    *("inference", "tset", ""),
    *("$x", "@y", "image#0", "class", "_target_", "\udcff", "score"),
)  # fmt: skip


def places(value: Any) -> Iterator[Place]:
    """List every place in nested lists and dictionaries."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


def _place(content: Any, random: Random) -> Place:
    found = list(places(content))
    return found[int(random.integers(len(found)))]


def _one_of(values: tuple[Any, ...], random: Random) -> Any:
    return copy.deepcopy(values[int(random.integers(len(values)))])


def replaced(content: Any, random: Random) -> Any:
    """A value is another one."""
    where, key = _place(content, random)
    where[key] = _one_of(VALUES, random)
    return content


def missing(content: Any, random: Random) -> Any:
    """A value, or a whole entry, is not there."""
    where, key = _place(content, random)
    del where[key]
    return content


def twice(content: Any, random: Random) -> Any:
    """An entry stands in two places."""
    where, key = _place(content, random)
    other, place = _place(content, random)
    other[place] = copy.deepcopy(where[key])
    return content


def wrapped(content: Any, random: Random) -> Any:
    """A value is a list or a dictionary with it inside."""
    where, key = _place(content, random)
    where[key] = [where[key]] if random.random() < 0.5 else {"image": where[key]}
    return content


def added(content: Any, random: Random) -> Any:
    """A key, known or not, is added somewhere."""
    dictionaries = [content, *(where[key] for where, key in places(content) if isinstance(where[key], dict))]
    chosen = dictionaries[int(random.integers(len(dictionaries)))]
    chosen[_one_of(_KEYS, random)] = _one_of(VALUES, random)
    return content


def huge(content: Any, random: Random) -> Any:
    """A split has thousands of rows."""
    splits = [key for key in content if isinstance(content[key], list) and content[key]]
    if splits:
        rows = content[splits[int(random.integers(len(splits)))]]
        rows.extend({"image": f"gone_{number}.png", "label": 0} for number in range(3000))
    return content


def text_as_it_is(text: bytes, random: Random) -> bytes:
    """The text of the file is not damaged."""
    return text


def text_cut(text: bytes, random: Random) -> bytes:
    """The end of the file is missing."""
    return text[: int(random.integers(len(text)))]


def text_flipped(text: bytes, random: Random) -> bytes:
    """Some bytes of the file are others."""
    damaged = bytearray(text)
    for _ in range(int(random.integers(1, 6))):
        damaged[int(random.integers(len(damaged)))] = int(random.integers(256))
    return bytes(damaged)


def text_encoded(text: bytes, random: Random) -> bytes:
    """The file is in another encoding, or begins with a mark of one."""
    encodings = ("utf-16", "utf-32", "utf-8-sig", "utf-16-be", "utf-7")
    return text.decode().encode(encodings[int(random.integers(len(encodings)))])


def text_nested(text: bytes, random: Random) -> bytes:
    """Lists in lists in lists, behind the beginning of the file."""
    depth = int(10 ** random.uniform(1, 5))
    return b'{"test": ' + b"[" * depth + text + b"]" * depth + b"}"


CONTENT: tuple[Callable[[Any, Random], Any], ...] = (replaced, replaced, missing, twice, wrapped, added, huge)
TEXT: tuple[Callable[[bytes, Random], bytes], ...] = (
    *((text_as_it_is,) * 6),
    *(text_cut, text_flipped, text_encoded, text_nested),
)


def damaged_list(content: dict[str, Any], random: Random) -> tuple[str, bytes]:
    """Damage a data list in one way or two, and its text, too, now and then.

    Args:
        content: an intact one.
        random: makes all choices.

    Returns:
        What was done, and the bytes of the file.
    """
    damaged, done = copy.deepcopy(content), []
    text_damage = TEXT[int(random.integers(len(TEXT)))]
    if text_damage is text_as_it_is or random.random() < 0.3:
        for _ in range(1 if random.random() < 0.6 else 2):
            damage = CONTENT[int(random.integers(len(CONTENT)))]
            if list(places(damaged)):
                damaged = damage(damaged, random)
                done.append(damage.__name__)
    return "+".join([*done, text_damage.__name__]), text_damage(json.dumps(damaged).encode(), random)
