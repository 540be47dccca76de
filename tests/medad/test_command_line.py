# SPDX-License-Identifier: Apache-2.0

import pytest
from medad.command_line import door, door_parser, parse_with_keys
from medad.errors import InputError


def test_keys_of_a_configuration_stand_beside_the_options_of_the_door() -> None:
    parser = door_parser("verb", "One line.\n\nMore.", "train.json, such as --max_epochs 50")
    parser.add_argument("input")
    parser.add_argument("--out")
    given, keys = parse_with_keys(parser, ["--max_epochs", "50", "images", "--out", "runs", "--size=[1,2]"])
    assert (given.input, given.out, keys) == ("images", "runs", {"max_epochs": 50, "size": [1, 2]})
    text = parser.format_help()
    assert "python -m medad.verb" in text and "One line." in text and "More" not in text and "--max_epochs 50" in text
    with pytest.raises(InputError, match="no value given"):
        parse_with_keys(parser, ["images", "--max_epochs"])


def test_no_option_is_abbreviated() -> None:
    parser = door_parser("verb", "One line.")
    parser.add_argument("--overlay")
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["--over", "cpu"])


def test_errors_end_in_one_line_and_others_keep_their_traceback() -> None:
    refused = InputError("3 channels found", where="a.png", expected="1", remedy="Convert it.")
    with pytest.raises(SystemExit, match=r"^error: a\.png: 3 channels found\. Expected 1\. Convert it\.$"), door():
        raise RuntimeError("applying transform") from refused
    with pytest.raises(ValueError, match="a bug"), door():
        raise ValueError("a bug")
    with pytest.raises(SystemExit, match=r"^error: size is 0$"), door(ValueError):
        raise ValueError("size is 0")


def test_what_begins_with_a_dash_and_is_no_option_is_a_path() -> None:
    parser = door_parser("verb", "One line.")
    parser.add_argument("input")
    parser.add_argument("--out")
    parser.add_argument("--seed", type=int)
    given, keys = parse_with_keys(parser, ["-dash", "--out", "-x", "--seed", "-1", "--low", "-0.5"])
    assert (given.input, given.out, given.seed, keys) == ("./-dash", "./-x", -1, {"low": -0.5})
    assert parse_with_keys(parser, ["-01_a"])[0].input == "./-01_a"
    with pytest.raises(SystemExit, match="0"):
        parse_with_keys(parser, ["-h"])
