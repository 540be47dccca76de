# SPDX-License-Identifier: Apache-2.0
"""The contact sheet: layout and errors."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from medad.report import CaseGallery, CaseRecord, save_contact_sheet, select_cases
from medad.report.contact_sheet import MARGIN, _open
from PIL import Image, ImageDraw


def records(count: int, *, with_reconstruction: bool = True) -> list:
    gallery = CaseGallery(count, map_max=1.0, panel_size=64)
    for index in range(count):
        image = np.full((1, 16, 8 if index % 2 else 16), 0.5, np.float32)
        arrays = {"image": image, "anomaly_map": image, "mask": image > 0}
        if with_reconstruction:
            arrays["reconstruction"] = image
        gallery.add(CaseRecord(f"Case {index}", float(index)), **arrays)
    return select_cases(gallery.records(), count)


def test_one_row_per_case(tmp_path: Path) -> None:
    sizes = []
    for count in (1, 3):
        path = save_contact_sheet(tmp_path / "new" / f"{count}.png", records(count))
        with Image.open(path) as sheet:
            assert sheet.format == "PNG"
            sizes.append(sheet.size)
    assert sizes[0][0] == sizes[1][0]
    assert sizes[1][1] - sizes[0][1] == 42 + 64 + 2 * 8  # a flat row as high as its text, a square one, two gaps


def test_one_row_per_view(tmp_path: Path) -> None:
    (record,) = records(1)
    heights = []
    for views in (record.views, [replace(record.views[0], plane="Axial", slice_index=1, slice_count=2)] * 3):
        with Image.open(save_contact_sheet(tmp_path / "a.png", [replace(record, views=views)])) as sheet:
            heights.append(sheet.height)
    assert heights[1] - heights[0] == 2 * (64 + 8)


def test_text_does_not_run_over_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of thick voxels are flat: less high than all that stands beside the first one."""
    written, write = [], ImageDraw.ImageDraw.text

    def note(draw: ImageDraw.ImageDraw, xy: tuple[float, float], text: str, **style: Any) -> None:
        if xy[0] == MARGIN:  # beside the pictures
            written.append(draw.textbbox(xy, text, font=style["font"]))
        write(draw, xy, text, **style)

    flat = records(2)[0]
    assert min(_open(flat.views[0].panels["input"]).size) == 32
    views = [replace(flat.views[0], plane=plane, slice_index=1, slice_count=2) for plane in ("Coronal", "Sagittal")]
    case = replace(flat, views=views, label=1, p_value=0.5, decision=1)
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", note)
    save_contact_sheet(tmp_path / "a.png", [case, case])
    assert len(written) == 2 * (6 + 1)
    for (left, top, right, bottom), other in combinations(written, 2):
        assert left >= other[2] or other[0] >= right or top >= other[3] or other[1] >= bottom


def test_column_without_pictures_is_left_out(tmp_path: Path) -> None:
    widths = []
    for with_reconstruction in (True, False):
        path = save_contact_sheet(tmp_path / "a.png", records(1, with_reconstruction=with_reconstruction))
        with Image.open(path) as sheet:
            widths.append(sheet.width)
    assert widths[0] - widths[1] == 64 + 8


def test_map_is_in_its_column(tmp_path: Path) -> None:
    (record,) = records(1)
    with Image.open(save_contact_sheet(tmp_path / "a.png", [record])) as sheet:
        pixel = np.array(sheet.getpixel((18 + 132 + 2 * 72 + 32, 18 + 30 + 32)), dtype=int)
    assert pixel[0] > pixel[1]  # inferno at 0.5 is red, gray panels are not
    assert pixel[0] - pixel[2] > 50


@pytest.mark.parametrize("kind", ["none", "scales"])
def test_bad_arguments(tmp_path: Path, kind: str) -> None:
    cases = [] if kind == "none" else [records(1)[0], replace(records(1)[0], map_max=2.0)]
    with pytest.raises(ValueError, match=r"at least one case|map_max"):
        save_contact_sheet(tmp_path / "a.png", cases)
