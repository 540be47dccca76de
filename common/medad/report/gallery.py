# SPDX-License-Identifier: Apache-2.0
"""Choose by rule, from a stream of any length, the few cases that a report shows.

Per group (abnormal, normal, unknown truth) the rule keeps the cases with the worst scores (abnormal: lowest, normal and
unknown: highest) and, of the others, those with the smallest SHA-256 of their name: a fixed pseudo-random sample.
Both are "k smallest" rules, so the choice depends neither on the order of the cases nor on how ranks shared them.
"""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from .case_pictures import ViewPictures, draw_case
from .panels import encode_jpeg
from .records import CaseRecord, CaseView

GROUPS = (1, 0, None)
"""Truth of the groups, in the order in which they are shown."""
SAMPLED = "sampled"
WORST = {1: "lowest-scored abnormal", 0: "highest-scored normal", None: "highest-scored"}


def select_cases(records: Iterable[CaseRecord], max_cases: int) -> list[CaseRecord]:
    """Choose the cases to show.

    Args:
        records: any cases; a name that occurs twice counts once.
        max_cases: how many to choose at most; abnormal and normal share them equally where there are enough of both.

    Returns:
        Abnormal, then normal, then unlabeled cases, each by decreasing score, with ``reason`` set.
    """
    unique = {record.name: record for record in records}
    groups = {label: [r for r in unique.values() if r.label == label] for label in GROUPS}
    quota = _share(max_cases, {label: len(group) for label, group in groups.items()})
    return [record for label in GROUPS for record in _choose(groups[label], label, quota[label])]


class CaseGallery:
    """Collect the cases of a report while they stream by, in bounded memory.

    A case that is kept is drawn at once to small JPEG panels; its arrays are not held. At most ``3 * max_cases``
    records exist at any time. ``select_cases`` chooses from the records of all ranks.

    Args:
        max_cases: how many cases the report will show.
        map_max: map value of the brightest color, the same for all cases.
        panel_size: longer side of a panel in pixels.
        by_slices: whether the network works on the slices of a volume; three of them are shown then.

    Raises:
        ValueError: if ``max_cases`` or ``map_max`` is not positive.
    """

    def __init__(self, max_cases: int = 24, *, map_max: float, panel_size: int = 192, by_slices: bool = False) -> None:
        """Start empty; the arguments are explained at the class."""
        if max_cases < 1:
            raise ValueError(f"max_cases must be at least 1, got {max_cases}.")
        if not map_max > 0:
            raise ValueError(f"map_max must be greater than 0, got {map_max}.")
        self.max_cases = max_cases
        self.map_max = float(map_max)
        self.panel_size = panel_size
        self.by_slices = by_slices
        self._kept: dict[int | None, list[CaseRecord]] = {label: [] for label in GROUPS}

    def add(self, record: CaseRecord, **arrays: Any) -> None:
        """Offer one case; it is drawn if the rule keeps it.

        Args:
            record: the case, not yet drawn; a name seen before is ignored.
            arrays: ``image``, ``anomaly_map`` and others that :func:`.draw_case` takes.

        Raises:
            ValueError: if the score is not finite, the label is not 0, 1 or ``None``, or the arrays do not fit.
        """
        kept = self._choose_with(record)
        if kept is None:
            return
        complete = self.draw(record, **arrays)
        self._kept[record.label] = [complete if other.name == record.name else other for other in kept]

    def draw(self, record: CaseRecord, **arrays: Any) -> CaseRecord:
        """Draw one case, whatever the rule says.

        Args:
            record: the case, not yet drawn.
            arrays: see :meth:`add`.

        Returns:
            The case with its panels.

        Raises:
            ValueError: if the arrays do not fit.
        """
        drawn = draw_case(**arrays, map_max=self.map_max, size=self.panel_size, by_slices=self.by_slices)
        return replace(
            record,
            has_truth=any(arrays.get(name) is not None for name in ("truth", "circles")),
            has_detections=arrays.get("detections") is not None,
            map_max=self.map_max,
            views=tuple(map(_encoded, drawn)),
        )

    def records(self) -> list[CaseRecord]:
        """All records held, picklable: more than the report shows, because other ranks may hold better ones."""
        return [record for label in GROUPS for record in self._kept[label]]

    def _choose_with(self, record: CaseRecord) -> list[CaseRecord] | None:
        """The record's group as it would be with the record, or ``None`` if the rule does not keep it."""
        if not math.isfinite(record.score):
            raise ValueError(f"The score of case {record.name!r} must be finite, got {record.score}.")
        if record.label not in GROUPS:
            raise ValueError(f"The label of case {record.name!r} must be 0, 1 or None, got {record.label}.")
        group = self._kept[record.label]
        if any(other.name == record.name for other in group):
            return None
        chosen = _choose([*group, record], record.label, self.max_cases)
        return chosen if any(other.name == record.name for other in chosen) else None


def _encoded(view: ViewPictures) -> CaseView:
    panels = {panel: encode_jpeg(picture) for panel, picture in view.images.items()}
    return CaseView(panels, view.plane, view.slice_index, view.slice_count)


def _choose(group: list[CaseRecord], label: int | None, count: int) -> list[CaseRecord]:
    """Choose a third by worst score and the rest by the hash of the name; return them by decreasing score."""
    worst_count = math.ceil(count / 3)
    sign = 1.0 if label == 1 else -1.0
    ranked = sorted(group, key=lambda r: (sign * r.score, _digest(r.name)))
    worst = [replace(r, reason=WORST[label]) for r in ranked[:worst_count]]
    others = sorted(ranked[worst_count:], key=lambda r: _digest(r.name))
    sample = [replace(r, reason=SAMPLED) for r in others[: count - worst_count]]
    return sorted([*worst, *sample], key=lambda r: (-r.score, _digest(r.name)))


def _share(total: int, sizes: dict[int | None, int]) -> dict[int | None, int]:
    """Share ``total`` places one by one among the groups that still have cases."""
    quota = dict.fromkeys(sizes, 0)
    while sum(quota.values()) < total:
        open_groups = [label for label in sizes if quota[label] < sizes[label]]
        if not open_groups:
            break
        for label in open_groups[: total - sum(quota.values())]:
            quota[label] += 1
    return quota


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
