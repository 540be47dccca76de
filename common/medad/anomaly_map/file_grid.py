# SPDX-License-Identifier: Apache-2.0
"""File grid: the results of a case back on the voxels of its file."""

from monai.transforms import Compose, Invertd

from ..keys import Keys


def to_file_grid(preprocessing: Compose) -> Invertd:
    """Invert the preprocessing for everything that a case has by then.

    Args:
        preprocessing: the transforms from the file to the network's input.

    Returns:
        Transform of the case; the image comes last because the others follow its history.
    """
    return Invertd(
        [Keys.ANOMALY_MAP, Keys.RECONSTRUCTION, Keys.FOREGROUND, Keys.IMAGE],
        transform=preprocessing,
        orig_keys=Keys.IMAGE,
        nearest_interp=[False, False, True, False],
        allow_missing_keys=True,
    )
