# SPDX-License-Identifier: Apache-2.0
"""Orientation of volumes, so that their slices and a PNG slice are indexed alike: LPS for axial slices.

The first two axes of an oriented volume are those of a slice as a viewer shows it: (L, P) axial, (L, I) coronal,
(P, I) sagittal. A single slice is turned within its plane only.
"""

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform, Orientation
from monai.utils import ImageMetaKey
from monai.utils.enums import TraceKeys
from nibabel.orientations import io_orientation
from torch import Tensor

from ..formats import has_geometry
from ..planes import PLANE_AXES, UP_DOWN, axis_across

_PLANE = "slice_plane"
_LABELS = (("L", "R"), ("P", "A"), ("I", "S"))


def slice_axis(volume: Tensor) -> int:
    """Say along which axis of a volume its slices follow each other, for a 2D network.

    Args:
        volume: ``(C, x, y, z)``, in any orientation. Its metadata say in which plane the slices of its case lie
            (:func:`slice_plane`).

    Returns:
        0, 1 or 2: the axis that :class:`OrientVolumed` makes the last one. Of a tensor without an affine it is that.
    """
    return _axis_of_slices(volume, slice_plane(volume))


def slice_plane(image: Tensor) -> str:
    """Give the plane in which the slices of a case lie: what :class:`OrientVolumed` noted, else ``"axial"``."""
    return str(image.meta.get(_PLANE, "axial")) if isinstance(image, MetaTensor) else "axial"


def _axis_of_slices(volume: Tensor, plane: str) -> int:
    thin = [axis for axis, size in enumerate(volume.shape[1:]) if size == 1]
    if len(thin) == 1:
        return thin[0]
    return _axes_of_body(volume).index(axis_across(plane)) if isinstance(volume, MetaTensor) else 2


def _axes_of_body(volume: MetaTensor) -> list[int]:
    """Axis of the body (0 left-right, 1 front-back, 2 up-down) that each axis of a volume runs along."""
    return [int(axis) for axis in io_orientation(volume.affine.cpu().numpy())[:, 0]]


class OrientVolumed(MapTransform, InvertibleTransform):
    """MONAI's ``Orientation`` for volumes, to LPS for axial slices, and for the plane of a single slice.

    A radiological slice shows the patient's left at the right edge and the back at the bottom, so the first axis of a
    PNG (columns) runs to the left and the second (rows) to the back: the first two axes of LPS. A 2D NIfTI file follows
    its header like a volume of one slice; all other 2D images pass through untouched. The transform is invertible, also
    by MONAI's ``Invertd``.

    Differs from ``Orientationd``: a volume of one slice keeps it as its last axis, since LPS would lay a sagittal or
    coronal one on edge, as lines in as many slices.

    Args:
        keys: entries with images ``(C, *spatial)`` that carry an affine to RAS.
        allow_missing_keys: skip keys that an item does not have.
        plane: in which the slices lie that a 2D network sees of volumes: ``"axial"``, ``"coronal"`` or ``"sagittal"``.
            The metadata of an image keep it, since masks and candidates are found in the same slices.

    Raises:
        ValueError: if there is no such plane.
    """

    def __init__(self, keys: KeysCollection, allow_missing_keys: bool = False, plane: str = "axial") -> None:
        super().__init__(keys, allow_missing_keys)
        axis_across(plane)
        self.plane = plane
        self._to = {axes: Orientation(axcodes=axes, labels=_LABELS) for axes in PLANE_AXES.values()}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Reorient the volumes and NIfTI files of one item.

        Args:
            data: an item with images ``(C, x, y)`` or ``(C, x, y, z)``.

        Returns:
            The item; volumes are indexed (to the left, to the back, upwards), or as their plane asks for.
        """
        item = dict(data)
        for key in self.key_iterator(item):
            image = item[key]
            if image.ndim == 4:
                item[key] = self._oriented(image)
            elif isinstance(image, MetaTensor) and has_geometry(image.meta.get(ImageMetaKey.FILENAME_OR_OBJ, "")):
                item[key] = self._oriented(image.unsqueeze(-1)).squeeze(-1)
        return item

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Bring images back to the axes of their files.

        Args:
            data: an item that ``__call__`` returned.

        Returns:
            The item with its images in their first orientation.
        """
        item = dict(data)
        for key in self.key_iterator(item):
            image, invert = item[key], self._to[PLANE_AXES[UP_DOWN]].inverse
            history = getattr(image, "applied_operations", None) or [{}]
            if image.ndim == 4:
                item[key] = invert(image)
            elif history[-1].get(TraceKeys.CLASS_NAME) == Orientation.__name__:
                item[key] = invert(image.unsqueeze(-1)).squeeze(-1)
        return item

    def _oriented(self, volume: Any) -> Any:
        across = _axes_of_body(volume)[_axis_of_slices(volume, self.plane)]
        oriented: Any = self._to[PLANE_AXES[across]](volume)
        oriented.applied_operations[-1][TraceKeys.ID] = TraceKeys.NONE  # any instance may invert it
        oriented.meta = {**oriented.meta, _PLANE: self.plane}
        return oriented
