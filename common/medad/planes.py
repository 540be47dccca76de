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
