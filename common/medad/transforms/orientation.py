# SPDX-License-Identifier: Apache-2.0
"""Orientation to LPS, so that an axial slice of a volume and a PNG slice are indexed alike."""

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import Orientationd

_LABELS = (("L", "R"), ("P", "A"), ("I", "S"))


class OrientVolumed(Orientationd):
    """MONAI's ``Orientationd`` to LPS for volumes; 2D images pass through untouched.

    A radiological slice shows the patient's left at the right edge and the back at the bottom, so the first axis of a
    PNG (columns) runs to the left and the second (rows) to the back: the first two axes of LPS. The transform is
    invertible, also by MONAI's ``Invertd``.

    Args:
        keys: entries with images ``(C, *spatial)`` that carry an affine to RAS.
        allow_missing_keys: skip keys that an item does not have.
    """

    def __init__(self, keys: KeysCollection, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, axcodes="LPS", labels=_LABELS, allow_missing_keys=allow_missing_keys)

    def __call__(self, data: Mapping[Hashable, Any], lazy: bool | None = None) -> dict[Hashable, Any]:
        """Reorient the volumes of one item.

        Args:
            data: an item with images ``(C, x, y)`` or ``(C, x, y, z)``.
            lazy: as in MONAI's ``Orientationd``.

        Returns:
            The item; volumes are indexed (to the left, to the back, upwards).
        """
        item = dict(data)
        for key in self.key_iterator(item):
            if item[key].ndim == 4:
                item[key] = self.ornt_transform(item[key], lazy=self.lazy if lazy is None else lazy)
        return item

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Bring volumes back to the axes of their files.

        Args:
            data: an item that ``__call__`` returned.

        Returns:
            The item with volumes in their first orientation.
        """
        item = dict(data)
        for key in self.key_iterator(item):
            if item[key].ndim == 4:
                item[key] = self.ornt_transform.inverse(item[key])
        return item
