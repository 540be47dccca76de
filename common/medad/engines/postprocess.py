# SPDX-License-Identifier: Apache-2.0
"""Post-processing of one case, as far as the calibration allows."""

from collections.abc import Callable, Mapping
from typing import Any

from monai.data import MetaTensor
from monai.transforms import Compose
from torch import Tensor

from ..errors import CalibrationError, unwrap_errors
from ..keys import Keys


def postprocess_case(
    item: Mapping[str, Any], prediction: Tensor, postprocessing: Callable[..., Any]
) -> tuple[dict[str, Any], CalibrationError | None]:
    """Apply the post-processing to one case.

    Args:
        item: the preprocessed case, image included.
        prediction: what the inferer returned for it, ``(1 + R, *spatial)``.
        postprocessing: dictionary transforms from there to map, score, decision and mask.

    Returns:
        The case and ``None``; or, where there is no usable calibration, the case with map and score but without mask,
        with the reason as its ``note``, and the error.

    Raises:
        Exception: whatever a transform raises for another reason.
    """
    case = {key: value.to(prediction.device) if isinstance(value, Tensor) else value for key, value in item.items()}
    case[Keys.PRED] = MetaTensor(prediction.detach()).copy_meta_from(case[Keys.IMAGE])
    steps = postprocessing.flatten().transforms if isinstance(postprocessing, Compose) else (postprocessing,)
    try:
        with unwrap_errors():
            for step in steps:
                case = step(case)
    except CalibrationError as error:
        return {**case, Keys.NOTE.value: f"{error} There is no mask."}, error
    return case, None
