# SPDX-License-Identifier: Apache-2.0
"""The inline SVG: well-formed, in the colors of the page, with nothing from outside."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import medad
import numpy as np
import pytest
from matplotlib.figure import Figure
from medad.report.curves import (
    precision_recall_figure,
    roc_figure,
    score_histogram_figure,
    sensitivity_by_size_figure,
)
from medad.report.svg import figure_to_svg


def figures() -> dict[str, Figure]:
    rng = np.random.default_rng(0)
    normal, abnormal = rng.normal(0, 1, 40).round(1), rng.normal(1, 1, 25).round(1)
    groups = {"Normal <b>": (normal, "normal"), "Abnormal": (abnormal, "abnormal"), "None": (normal[:0], "accent")}
    bins = [{"low": 0, "high": 10, "n": 3, "value": 0.5}, {"low": 10, "high": None, "n": 0, "value": None}]
    return {
        "roc": roc_figure(normal, abnormal, (0.1, 0.5)),
        "pr": precision_recall_figure(normal, abnormal),
        "histogram": score_histogram_figure(groups, threshold=1.2),
        "sizes": sensitivity_by_size_figure(bins),
    }


@pytest.mark.parametrize("name", ["roc", "pr", "histogram", "sizes"])
def test_it_is_well_formed_themed_and_alone(name: str) -> None:
    svg = figure_to_svg(figures()[name], name)
    root = ElementTree.fromstring(svg)
    assert "http" not in svg
    assert "<style" not in svg
    assert "font-family" not in svg
    assert "var(--muted, #5c6675)" in svg
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    assert all(identifier.startswith(f"{name}-") for identifier in ids)
    used = [value[1:] for element in root.iter() for key, value in element.attrib.items() if key.endswith("href")]
    clips = [element.attrib["clip-path"][5:-1] for element in root.iter() if "clip-path" in element.attrib]
    assert used
    assert set(used) | set(clips) <= set(ids)


def test_it_is_reproducible() -> None:
    first, second = (figure_to_svg(figures()["roc"], "roc") for _ in range(2))
    assert first == second


def test_pyplot_is_never_imported() -> None:
    code = (
        "import sys, numpy as np; from medad.report.curves import roc_figure; from medad.report.svg import *; "
        "figure_to_svg(roc_figure(np.zeros(2), np.ones(2)), 'a'); print('matplotlib.pyplot' in sys.modules)"
    )
    source = Path(medad.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
