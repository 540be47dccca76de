# SPDX-License-Identifier: Apache-2.0
"""Planes of the body: how a radiological picture of each lies.

Axial with the front on top and coronal with the head on top, both with the patient's right on the left; sagittal with
the head on top and the front on the left.
"""

LEFT_RIGHT, FRONT_BACK, UP_DOWN = 0, 1, 2
"""Axes of the body, in the order of the world coordinates of an affine."""
PLANE_NAMES = {LEFT_RIGHT: "Sagittal", FRONT_BACK: "Coronal", UP_DOWN: "Axial"}
"""Name of a plane, by the axis of the body across it."""
PLANE_AXES = {LEFT_RIGHT: "PIL", FRONT_BACK: "LIP", UP_DOWN: "LPS"}
"""Where the columns, the rows and the slices of a picture run to, by the axis of the body across it."""


def axis_across(plane: str) -> int:
    """Give the axis of the body across a plane.

    Args:
        plane: ``"axial"``, ``"coronal"`` or ``"sagittal"``.

    Raises:
        ValueError: if it is another word.

    Example:
        >>> axis_across("coronal")
        1
    """
    names = {name.lower(): axis for axis, name in PLANE_NAMES.items()}
    if plane not in names:
        raise ValueError(f"slice_plane must be one of {', '.join(names)}, got {plane!r}")
    return names[plane]
