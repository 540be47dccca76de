# SPDX-License-Identifier: Apache-2.0
import json
import os
from pathlib import Path

import pytest
from medad.datalists import load_datalist
from medad.datalists.case_names import safe_name


@pytest.fixture
def touch(tmp_path):
    """Create empty files: layouts look at names only."""

    def write(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return write


def test_cases_are_unique_and_safe(touch):
    root = touch("x/FLAIR.nii", "y/flair.nii", "z/a b ü.png", "a_b.png")
    items = load_datalist(root, "inference", recursive=True)
    assert [item["case"] for item in items] == ["a_b", "x_FLAIR", "y_flair", "a_b_ü"]
    assert [item["source_file"] for item in items] == ["a_b.png", "x/FLAIR.nii", "y/flair.nii", "z/a b ü.png"]


def test_letters_of_all_scripts_stay(touch):
    names = ["张三", "李四", "Иванов", "Müller", "Möller", "Ω1", "Δ1", "हिन्दी", "עברית", "ไทย"]
    root = touch(*(f"{name}.png" for name in names))
    assert {item["case"] for item in load_datalist(root, "inference")} == set(names)


def test_composed_and_decomposed_letters_are_one_name(touch):
    root = touch("a/M\u00fcller.png", "b/Mu\u0308ller.png")
    cases = [item["case"] for item in load_datalist(root, "inference", recursive=True)]
    assert cases == ["a_M\u00fcller", "b_M\u00fcller"]


@pytest.mark.parametrize("letter", ["x", "é", "张", "\U0001d4d0"])
def test_long_names_are_cut_and_told_apart_by_a_hash(letter):
    count = 233 // len(letter.encode())
    names = [safe_name(letter * count + end) for end in ("1", "2")]
    assert all(80 <= len(name.encode()) <= 100 and name.startswith(letter) for name in names)
    assert len(set(names)) == 2 and names == [safe_name(name) for name in names]


@pytest.mark.parametrize(
    "name", ["scores.csv", "Report.HTML", "run.json", "cases.png", "con", "CON.png", "nul", "Lpt1.x", "aux.a.b"]
)
def test_names_that_others_need_begin_differently(name):
    assert safe_name(name) == f"case_{name}" == safe_name(safe_name(name))


@pytest.mark.parametrize("name", ["scores", "scores.csv.old", "icon.png", "console", "com10", "my_report.html"])
def test_names_that_only_look_like_them_stay(name):
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("", "case"),
        ("..", "case"),
        ("a/b\\c:d", "a_b_c_d"),
        ("[1]", "1"),
        ("=cmd|x", "cmd_x"),
        ("a\n\tb", "a_b"),
        ("a\u202eb", "a_b"),  # would be shown from right to left
        ("M\udcfcller", "Müller"),  # a byte of Latin-1
        ("a\ud800b", "a_b"),  # nothing at all
    ],
)
def test_what_is_no_letter_is_replaced(name, safe):
    assert safe_name(name) == safe


def test_bytes_that_are_no_text(tmp_path):
    for name in (b"M\xfcller.png", b"M\xf6ller.png", b"\xff\xfe.png"):
        (Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))).touch()
    items = load_datalist(tmp_path, "inference")
    assert {item["case"] for item in items} == {"Müller", "Möller", "ÿþ"}


def test_channels_and_images_elsewhere_have_a_source(tmp_path, touch):
    root = touch("set/a.png", "set/b.png", "elsewhere/c.png") / "set"
    rows = [{"image": ["a.png", "b.png"]}, {"image": str(tmp_path / "elsewhere" / "c.png")}]
    (root / "datalist.json").write_text(json.dumps({"inference": rows}))
    sources = [item["source_file"] for item in load_datalist(root, "inference")]
    assert sources == ["a.png; b.png", str(tmp_path / "elsewhere" / "c.png")]


def test_cases_that_stay_equal_are_numbered(touch):
    root = touch("x_y/a.png", "x/y_a.png", "x/y/a.png")
    cases = [item["case"] for item in load_datalist(root, "inference", recursive=True)]
    assert len(set(cases)) == 3
