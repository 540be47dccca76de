# SPDX-License-Identifier: Apache-2.0
"""The template and its style sheet: strict, alone, and found wherever the package lies."""

import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import jinja2
import medad.report
import pytest
from medad.report import template
from medad.report.curves import COLORS

ROOM = Path(medad.report.__file__).parent
FILES = sorted((ROOM / "templates").iterdir())
CSS = (ROOM / "templates" / "report.css").read_text("utf-8")


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="title"):
        template.render()


def test_long_text_is_cut() -> None:
    assert template._cut("abcd", 4) == "abcd"
    assert template._cut("abcde", 4) == "abc\u2026"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_loaded_run_or_left_unescaped(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"https?:|//[a-z]|url\(|@import|<script|<link|\son[a-z]+=|javascript:", text)
    assert not re.search(r"\|\s*safe|autoescape", text)


def test_every_color_of_a_chart_is_one_of_the_page() -> None:
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[:2]
    for role, color in COLORS.items():
        assert f"--{role}: {color};" in light
        assert f"--{role}: #" in dark


def test_every_class_has_a_style_and_every_style_a_class() -> None:
    markup = "".join(path.read_text("utf-8") for path in FILES if path.suffix == ".html")
    used = {"good", "bad", "plain", "chart"}  # what the content brings
    for value in re.findall(r'class="([^"]*)"', markup):
        used |= set(re.sub(r"\{[{%].*?[}%]\}", " ", value).split())
    styled = set(re.findall(r"\.([a-z][a-z-]*)", re.sub(r"/\*.*?\*/", "", CSS)))
    assert used == styled


def test_the_files_are_package_data() -> None:
    setup = ConfigParser()
    setup.read(ROOM.parents[2] / "setup.cfg")
    patterns = setup["options.package_data"]["medad"].split()
    assert all(any(path.relative_to(ROOM.parent).match(pattern) for pattern in patterns) for path in FILES)


def test_a_copy_of_the_package_uses_its_own_template(tmp_path: Path) -> None:
    """As in a release, where the package has another name."""
    copy = tmp_path / "scripts" / "medad"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOM, copy / "report", ignore=ignored)
    (copy / "report" / "templates" / "report.html").write_text("copy of {{ title }}")
    for module in ROOM.parent.glob("*.py"):
        shutil.copyfile(module, copy / module.name)
    code = "from scripts.medad.report.template import render; print(render(title='<b>'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "copy of &lt;b&gt;\n"


def test_import_is_light() -> None:
    code = (
        "import sys, medad.report; "
        "print([m for m in ('matplotlib', 'pandas', 'monai', 'torch', 'skimage') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOM.parents[1], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
