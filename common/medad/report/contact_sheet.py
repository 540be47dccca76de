# SPDX-License-Identifier: Apache-2.0
"""Write a PNG figure of a few cases for a README or a model card: one row per view, one column per panel."""

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from .content import outlines
from .panels import PANEL_TITLES, color_table
from .records import CaseRecord, CaseView
from .values import format_number, format_p_value

INK, MUTED, PAPER = (28, 36, 48), (92, 102, 117), (255, 255, 255)
GAP, MARGIN, NAME_WIDTH, TITLE_HEIGHT, LEGEND_HEIGHT = 8, 18, 132, 30, 42
LABEL_NAMES: dict[int | None, str] = {1: "abnormal", 0: "normal"}
DECISION_NAMES: dict[int | None, str] = {1: "called abnormal", 0: "called normal"}


class _Line(NamedTuple):
    """A line of text beside a row; its height includes the space below."""

    text: str
    color: tuple[int, int, int] = MUTED
    size: int = 13
    height: int = 18


def save_contact_sheet(path: str | os.PathLike[str], records: Iterable[CaseRecord]) -> Path:
    """Write the figure.

    Args:
        path: the PNG file; its folder is made if need be.
        records: drawn cases in the order of the rows, all with the same ``map_max``; a column without any picture is
            left out, a missing picture leaves its place empty.

    Returns:
        The path of the file.

    Raises:
        ValueError: if there are no cases or their color scales differ.
    """
    cases = list(records)
    if not cases:
        raise ValueError("A contact sheet needs at least one case.")
    if len({record.map_max for record in cases}) > 1:
        raise ValueError("The cases were drawn with different map_max: their colors cannot be compared.")
    rows = [(record, view) for record in cases for view in record.views]
    columns = [name for name in PANEL_TITLES if any(name in view.panels for _, view in rows)]
    pictures = [{name: _open(view.panels[name]) for name in columns if name in view.panels} for _, view in rows]
    width = max(picture.width for row in pictures for picture in row.values())
    texts = [_lines(record, view) for record, view in rows]
    heights = [
        max(_text_height(text), *(picture.height for picture in row.values()))
        for text, row in zip(texts, pictures, strict=True)
    ]

    left = MARGIN + NAME_WIDTH
    sheet_width = left + len(columns) * (width + GAP) - GAP + MARGIN
    top = MARGIN + TITLE_HEIGHT
    sheet = Image.new("RGB", (sheet_width, top + sum(heights) + GAP * len(rows) + LEGEND_HEIGHT + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    for index, name in enumerate(columns):
        center = left + index * (width + GAP) + width // 2
        draw.text((center, MARGIN + 8), PANEL_TITLES[name], fill=INK, font=_font(15), anchor="mm")
    for text, row, height in zip(texts, pictures, heights, strict=True):
        _write(draw, (MARGIN, top), text)
        for name, picture in row.items():
            place = left + columns.index(name) * (width + GAP) + (width - picture.width) // 2
            sheet.paste(picture, (place, top + (height - picture.height) // 2))
        top += height + GAP
    _write_legend(sheet, left, top + 14, cases)

    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(target, format="PNG", optimize=True)
    return target


def _lines(record: CaseRecord, view: CaseView) -> list[_Line]:
    """What stands beside a view: all about the case at its first one, then only which view it is."""
    where = ", ".join(filter(None, (view.plane, "" if view.slice_index is None else f"slice {view.slice_index}")))
    if view is not record.views[0]:
        return [_Line(where)]
    name = record.name if len(record.name) <= 16 else record.name[:15] + "\u2026"
    lines = [LABEL_NAMES.get(record.label, ""), f"score {format_number(record.score)}"]
    if record.p_value is not None:
        lines.append(f"p {format_p_value(record.p_value)}")
    lines += [DECISION_NAMES.get(record.decision, ""), where]
    return [_Line(name, INK, 15, 24), *(_Line(line) for line in lines if line)]


def _text_height(lines: list[_Line]) -> int:
    return sum(line.height for line in lines)


def _write(draw: ImageDraw.ImageDraw, corner: tuple[int, int], lines: list[_Line]) -> None:
    x, y = corner
    for line in lines:
        draw.text((x, y + 2), line.text, fill=line.color, font=_font(line.size))
        y += line.height


def _write_legend(sheet: Image.Image, x: int, y: int, rows: list[CaseRecord]) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.text((x, y + 6), "0", fill=MUTED, font=_font(13), anchor="lm")
    sheet.paste(Image.fromarray(color_table()[None]).resize((140, 12)), (x + 14, y))
    draw.text((x + 160, y + 6), f"{rows[0].map_max:.3g} and above", fill=MUTED, font=_font(13), anchor="lm")
    place = x + 290.0
    for text, color in outlines(rows):
        draw.line([(place, y + 6), (place + 22, y + 6)], fill=color, width=3)
        draw.text((place + 30, y + 6), text, fill=MUTED, font=_font(13), anchor="lm")
        place += 60 + draw.textlength(text, _font(13))


def _open(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg)).convert("RGB")


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
