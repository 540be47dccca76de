# SPDX-License-Identifier: Apache-2.0
"""Damage to ``calibration.json``: each entry missing, of another type, not finite, negative, swapped, cut off."""

import copy
import json
from typing import Any

import list_mutations
import numpy as np
from list_mutations import TEXT, VALUES, places

Random = np.random.Generator

_NUMBERS = (
    "scores",
    "score_weights",
    "subject_maxima",
    "voxel_rates",
    "voxel_thresholds",
    "subjects",
    "voxels",
    "effective_voxels",
    "axes",
)
_BAD_NUMBERS = (float("nan"), float("inf"), float("-inf"), -1, 0, 1e300, 10**400, 2**70, 0.5, "1", None, True, [1], {})


def other_type(content: Any, random: Random) -> Any:
    """An entry is of another type."""
    where, key = _entry(content, random)
    where[key] = copy.deepcopy(VALUES[int(random.integers(len(VALUES)))])
    return content


def missing(content: Any, random: Random) -> Any:
    """An entry is not there."""
    where, key = _entry(content, random)
    del where[key]
    return content


def bad_number(content: Any, random: Random) -> Any:
    """A number, alone or in a list, is none that it may be."""
    where = _part(content, random)
    name = _NUMBERS[int(random.integers(len(_NUMBERS)))]
    value = copy.deepcopy(_BAD_NUMBERS[int(random.integers(len(_BAD_NUMBERS)))])
    if isinstance(where.get(name), list) and where[name]:
        where[name][int(random.integers(len(where[name])))] = value
    else:
        where[name] = value
    return content


def swapped(content: Any, random: Random) -> Any:
    """Two entries have each other's value."""
    where = _part(content, random)
    names = list(where)
    if len(names) > 1:
        one, other = (names[int(place)] for place in random.choice(len(names), 2, replace=False))
        where[one], where[other] = where[other], where[one]
    return content


def other_list(content: Any, random: Random) -> Any:
    """A list is shorter, longer, turned over, or empty."""
    where = _part(content, random)
    lists = [name for name in where if isinstance(where[name], list)]
    if lists:
        name = lists[int(random.integers(len(lists)))]
        values = where[name]
        where[name] = (values[:-1], values + values[:1], values[::-1], [], [values], values * 50)[
            int(random.integers(6))
        ]
    return content


def other_version(content: Any, random: Random) -> Any:
    """The file says that it is of another format or version."""
    formats = ("medad.calibration/2", "medad.calibration/0", "medad.calibration", "", "monai", 1)
    content["format"] = formats[int(random.integers(len(formats)))]
    return content


def other_groups(content: Any, random: Random) -> Any:
    """The calibrations of single data sets are none, nested, or those of other names."""
    inner = {key: value for key, value in content.items() if key != "groups"}
    groups = (
        *([], {}, None, "a", {"": inner}, {"a": None}, {"a": []}, {"a": {}}, {"a": {**inner, "groups": {"b": inner}}}),
        *({"a": {**inner, "dataset": "b"}}, {"a": inner, "A": inner}, {"$x": inner}, {"a/b": inner}),
    )
    content["groups"] = copy.deepcopy(groups[int(random.integers(len(groups)))])
    return content


CONTENT = (other_type, missing, bad_number, bad_number, swapped, other_list, other_version, other_groups)


def damaged_calibration(content: dict[str, Any], random: Random) -> tuple[str, bytes]:
    """Damage a calibration in one or two ways.

    Args:
        content: an intact one.
        random: makes all choices.

    Returns:
        What was done, and the bytes of the file.
    """
    damaged, done = copy.deepcopy(content), []
    text_damage = TEXT[int(random.integers(len(TEXT)))]
    if text_damage is list_mutations.text_as_it_is or random.random() < 0.3:
        for _ in range(int(random.integers(1, 3))):
            damage = CONTENT[int(random.integers(len(CONTENT)))]
            if isinstance(damaged, dict) and list(places(damaged)):
                damaged = damage(damaged, random)
                done.append(damage.__name__)
    return "+".join([*done, text_damage.__name__]), text_damage(json.dumps(damaged).encode(), random)


def _part(content: dict[str, Any], random: Random) -> dict[str, Any]:
    """The calibration over all images, or that of one data set."""
    groups = content.get("groups")
    inner = [group for group in groups.values() if isinstance(group, dict)] if isinstance(groups, dict) else []
    return inner[int(random.integers(len(inner)))] if inner and random.random() < 0.5 else content


def _entry(content: dict[str, Any], random: Random) -> tuple[dict[str, Any], str]:
    where = _part(content, random)
    names = list(where) or ["format"]
    where.setdefault(names[0], None)
    return where, names[int(random.integers(len(names)))]
