# SPDX-License-Identifier: Apache-2.0
"""Too few calibration images: what cannot be promised from them, in sentences.

A conformal p-value from ``n`` images, or subjects, is at least ``1 / (n + 1)``, so a false-positive rate ``r`` needs
``n >= 1 / r - 1``. A voxel threshold from few subjects lets through more of another subject than of them, see
:mod:`.left_out`.
"""

from ..errors import CalibrationError
from .calibration import Calibration
from .guarantee import Guarantee
from .weighted_scores import least_rate, normals_needed

_ROUGH = 2.0
"""How many times the intended share of voxels a mask of a normal image may have before it is said."""


def few_images(images: int, subjects: int, rate: float, guarantee: Guarantee = Guarantee.IMAGE) -> str | None:
    """Say if decisions will be missing or rough.

    Args:
        images: number of normal images of a calibration.
        subjects: number of their subjects.
        rate: image false-positive rate that is asked of it.
        guarantee: what the rate is to hold for.

    Returns:
        A sentence, or ``None`` where there are enough.
    """
    needed = normals_needed(rate)
    normals = images if guarantee is Guarantee.IMAGE else subjects
    if normals < needed:
        return (
            f"{normals} normal {guarantee.unit}: too few to calibrate an image false-positive rate of {rate:g}, which "
            f"needs {needed}, and inference gives neither decisions nor masks without them. Add normal "
            f"{guarantee.unit}, or give inference an image_false_positive_rate of at least {least_rate(normals)}."
        )
    if subjects < needed:
        return (
            f"the {images} normal images are of only {subjects} subjects: an image false-positive rate of {rate:g} is "
            f"rough, since images of one subject are alike. Add subjects; {needed} are enough."
        )
    return None


def rough_threshold(calibration: Calibration, rate: float) -> str | None:
    """Say how much of a normal image its mask may take where that is far more than what is asked for.

    Args:
        calibration: the one whose voxel threshold is used.
        rate: voxel false-positive rate that is asked of it.

    Returns:
        A sentence, or ``None`` where the threshold holds about what it promises, or there is none.
    """
    try:
        found = calibration.new_subjects(rate)
    except CalibrationError:  # whoever makes the mask says so
        return None
    if found is None:
        return "The voxel threshold is made from one subject; how much of others lies in their masks is not known."
    expected, at_most = found
    if at_most <= _ROUGH * rate:
        return None
    return (
        f"The voxel threshold is made from {calibration.subjects} subjects: masks of normal images will take about "
        f"{100 * expected:.2g} % of the foreground on average, maybe {100 * at_most:.2g} %; {100 * rate:g} % was asked "
        "for. Calibrate on more subjects."
    )
