# SPDX-License-Identifier: Apache-2.0
"""Free-response ROC of a run: the detections of each case held against its annotation."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ..anomaly_map import Candidates
from ..keys import ABNORMAL, Keys
from ..metrics import DetectionRecord, FrocStatistic, hits_in_components, hits_near, match_detections
from ..morphology import label_components
from ..transforms import read_circles

_logger = logging.getLogger(__name__)

CURVE_COLUMNS = ("score", "false_positives_per_image", "sensitivity")


def detection_record(case: Mapping[str, Any], slack: float = 0.0) -> DetectionRecord | None:
    """Hold the detections of one case against its lesions.

    The lesions are the ``circles`` where the case has any, else the connected components of its ``mask``. A detection
    is its centroid with the mean of the map as score. A case without lesions counts for false positives if it is
    normal; an abnormal one in which nothing is localized counts for nothing, with a warning.

    Args:
        case: post-processed case with ``case``, ``subject_id``, ``detections``
            (:class:`medad.anomaly_map.Candidates`) and, where known, ``label``, ``circles`` and ``mask``, all on the
            grid of the file.
        slack: how far from a lesion a detection may be to hit it, in voxels.

    Returns:
        The record, or ``None`` where the truth is not known.

    Raises:
        InputError: if the circles cannot be read as ``(n, 1 + axes)``: center and radius in voxels.
    """
    found: Candidates = case[Keys.DETECTIONS]
    circles, mask, label = case.get(Keys.CIRCLES), case.get(Keys.MASK), case.get(Keys.LABEL)
    hits = torch.zeros(len(found.means), 0, dtype=torch.bool)
    if circles is not None and len(circles):
        centers_and_radii = read_circles(circles, found.centroids.shape[1], str(case[Keys.CASE]))
        hits = hits_near(found.centroids, centers_and_radii[:, :-1], centers_and_radii[:, -1] + slack)
    elif mask is not None:
        hits = hits_in_components(found.centroids, label_components(mask[0]), slack)
    if not hits.shape[1]:
        if label is not None and int(label) == ABNORMAL:
            _logger.warning(
                "%s: abnormal, but nothing is localized in it; left out of the free-response ROC", case[Keys.CASE]
            )
            return None
        if label is None and mask is None and circles is None:
            return None
    return match_detections(hits, found.means, str(case[Keys.SUBJECT_ID]))


def froc_table(records: Sequence[DetectionRecord]) -> list[dict[str, float]]:
    """The curve of a run, one operating point per row.

    Args:
        records: all images.

    Returns:
        Rows of ``CURVE_COLUMNS`` by falling score: a detection counts from this score up; none without a lesion.
    """
    if not any(len(record.lesion_scores) for record in records):
        return []
    subjects = sorted({record.subject_id for record in records})
    statistic = FrocStatistic(records, subjects, rates=(1.0,), normal_only=False)
    curve = statistic.curve(torch.ones(1, len(subjects), dtype=torch.float64))
    columns = (statistic.thresholds, *(values[0, 1:] for values in curve))
    points = zip(*(column.tolist() for column in columns), strict=True)
    return [dict(zip(CURVE_COLUMNS, point, strict=True)) for point in points]
