# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Any

import pytest
from medad.configuration import parse_paths, parse_value, split_overrides
from medad.errors import InputError


def test_overrides_are_found_anywhere_in_the_command_line() -> None:
    own, overrides = split_overrides(
        ["--threshold", "-0.5", "in put", "--out=o", "--resume", "--amp=false", "--loss#reduction", "sum", "-h"],
        ["--out", "--resume"],
    )
    assert own == ["in put", "--out=o", "--resume", "-h"]
    assert overrides == {"threshold": -0.5, "amp": False, "loss#reduction": "sum"}
    with pytest.raises(InputError, match="--threshold: no value given"):
        split_overrides(["x", "--threshold"], [])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("True", True),
        ("null", None),
        ("None", None),
        ("[64, 64]", [64, 64]),
        ("(1, 2)", (1, 2)),
        ("1e-3", 1e-3),
        ("cuda:1", "cuda:1"),
        ("$@size + 1", "$@size + 1"),
        ("a b.png", "a b.png"),
        ("", ""),
    ],
)
def test_values(text: str, value: Any) -> None:
    assert parse_value(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024", "2024"),
        ("1e-3", "1e-3"),
        ("null", "null"),
        ("['a', 'b']", ["a", "b"]),
        ('{"brain": "a"}', {"brain": "a"}),
        ("$@x", "$@x"),
    ],
)
def test_a_path_stays_text(text: str, value: Any) -> None:
    assert parse_paths(text) == value


def test_the_name_of_what_exists_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("[1]", "{'a':'b'}"):
        assert not isinstance(parse_paths(name), str)
        (tmp_path / name).mkdir()
        assert parse_paths(name) == name
