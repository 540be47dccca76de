# SPDX-License-Identifier: Apache-2.0
"""Inline SVG: a figure as a part of the page, in the colors of the page."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from markupsafe import Markup

from .curves import COLORS

if TYPE_CHECKING:  # matplotlib is imported where a figure is made
    from matplotlib.figure import Figure

PIXELS_PER_POINT = 1.3
"""Size of a chart on the page; its text of 8.5 points is then 11 pixels high."""


def figure_to_svg(figure: Figure, name: str) -> Markup:
    """Turn a figure into an inline SVG without scripts, links or fonts of its own.

    Args:
        figure: a figure of :mod:`.curves`.
        name: unique on the page; prefixes the ids.

    Returns:
        One ``<svg>`` element; the colors of ``COLORS`` are CSS variables with these colors as default.
    """
    import matplotlib

    buffer = io.StringIO()
    empty = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, bbox_inches="tight", pad_inches=0.04, metadata=empty)
    match = re.search(r'viewBox="([^"]+)".*?</defs>(.*)</svg>', buffer.getvalue(), re.DOTALL)
    if match is None:
        raise RuntimeError("matplotlib wrote an SVG of unknown form.")
    view_box, body = match.groups()
    body = re.sub(r'<g id="[^"]*">', "<g>", body)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = body.replace('xlink:href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    body = re.sub(r"font-family: [^;\"]+;? ?", "", body)
    body = re.sub(r"\s*\n\s*", " ", body)
    for role, color in COLORS.items():
        body = body.replace(color, f"var(--{role}, {color})")
    width = PIXELS_PER_POINT * float(view_box.split()[2])
    return Markup(f'<svg class="chart" viewBox="{view_box}" style="width:{width:.0f}px">{body.strip()}</svg>')
