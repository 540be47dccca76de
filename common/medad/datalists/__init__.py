# SPDX-License-Identifier: Apache-2.0
"""From a folder to the items of a data list: the only room that knows folder layouts."""

from .checks import check_files_exist, check_splits
from .datalist import load_datalist, load_splits
from .holdout import draw_order, hold_out_subjects
from .items import Item, Splits
from .layouts import Layout, known_layouts
from .marked_lesions import class_weights, items_with_marked_lesions
from .misplaced_circles import drop_misplaced_circles

__all__ = [
    "Item",
    "Layout",
    "Splits",
    "check_files_exist",
    "check_splits",
    "class_weights",
    "draw_order",
    "drop_misplaced_circles",
    "hold_out_subjects",
    "items_with_marked_lesions",
    "known_layouts",
    "load_datalist",
    "load_splits",
]
