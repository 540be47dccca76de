# SPDX-License-Identifier: Apache-2.0
"""Calibration by data set: over all normal images, and beside it over those of each data set."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from ..keys import Keys
from .builder import CalibrationBuilder, images_per_subject
from .calibration import Calibration
from .hashing import data_hash


def by_dataset(items: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Group the items of a data list by their data set; those that name none are in no group."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        if Keys.DATASET in item:
            groups.setdefault(item[Keys.DATASET], []).append(item)
    return groups


class GroupedCalibrationBuilder:
    """Collect normal cases; :meth:`merge` joins the builders of several processes.

    Every image counts in the calibration over all images and in that of its data set; in each, every subject weighs the
    same and the weights sum to its own number of images.

    Args:
        items: all calibration images, over all processes: entries of the data list. Those with ``dataset`` make the
            calibrations of the data sets; without any there is only the one over all.
    """

    def __init__(self, items: Iterable[Mapping[str, Any]]) -> None:
        items = list(items)
        self._pooled = _Builder(items)
        self._groups = {name: _Builder(group) for name, group in by_dataset(items).items()}

    def update(self, case: Mapping[Any, Any]) -> None:
        """Add one normal case.

        Args:
            case: post-processed, with score, map and ``subject_id`` and, where there are any, foreground and
                ``dataset``.

        Raises:
            CalibrationError: if score or map are not finite, or the map is negative somewhere.
            ValueError: if it is not among the images given at construction.
        """
        self._pooled.add(case)
        if Keys.DATASET in case:
            self._groups[case[Keys.DATASET]].add(case)

    def merge(self, other: "GroupedCalibrationBuilder") -> None:
        """Add what another process collected from other images of the same data list.

        Args:
            other: its builder.

        Raises:
            ValueError: if the two have other data lists, or an image twice.
        """
        self._pooled.merge(other._pooled)
        for name, group in self._groups.items():
            group.merge(other._groups[name])

    def build(self, weights_sha256: str, settings: Mapping[str, Any] | None = None) -> Calibration:
        """Make the calibration of the cases seen so far.

        Args:
            weights_sha256: :func:`medad.networks.weights_hash` of the network's weights.
            settings: what else makes the map and the score, by name.

        Returns:
            The calibration over all images, with those of the data sets as its ``groups``.

        Raises:
            CalibrationError: if no case came, or none of a data set.
        """
        pooled = self._pooled.calibration(weights_sha256, settings)
        groups = {name: group.calibration(weights_sha256, settings) for name, group in self._groups.items()}
        groups = {name: dataclasses.replace(group, dataset=name) for name, group in groups.items()}
        return dataclasses.replace(pooled, groups=groups)


class _Builder(CalibrationBuilder):
    """A builder that knows its images."""

    def __init__(self, items: list[Mapping[str, Any]]) -> None:
        super().__init__(images_per_subject(items))
        self.data_sha256 = data_hash(items)

    def add(self, case: Mapping[Any, Any]) -> None:
        self.update(
            case[Keys.ANOMALY_SCORE], case[Keys.ANOMALY_MAP], case.get(Keys.FOREGROUND), str(case[Keys.SUBJECT_ID])
        )

    def calibration(self, weights_sha256: str, settings: Mapping[str, Any] | None) -> Calibration:
        return self.build(self.data_sha256, weights_sha256, settings)
