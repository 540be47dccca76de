# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
import pytest
import torch
from medad.errors import CalibrationError
from medad.predict.arrays import AxisOrder
from medad.predict.result import result_of_case
from monai.data import MetaTensor

AFFINE = torch.diag(torch.tensor([2.0, 3.0, 1.0, 1.0], dtype=torch.float64))


def _case(**entries: Any) -> dict[str, Any]:
    anomaly_map = MetaTensor(torch.rand(1, 4, 5), affine=AFFINE)
    return {"case": "a", "anomaly_map": anomaly_map, "anomaly_score": torch.tensor(0.25), **entries}


def test_everything_is_laid_out_as_the_input() -> None:
    case = _case(pred=(torch.rand(1, 4, 5) > 0.5).to(torch.uint8), reconstruction=torch.rand(3, 4, 5))
    case |= {"p_value": 0.5, "decision": 1}
    result = result_of_case(case, AxisOrder(picture=True, channel_axis=-1), None)
    np.testing.assert_array_equal(result.anomaly_map, case["anomaly_map"][0].numpy().T)
    np.testing.assert_array_equal(result.mask, case["pred"][0].numpy().T)
    assert result.reconstruction is not None
    np.testing.assert_array_equal(result.reconstruction, case["reconstruction"].numpy().transpose(2, 1, 0))
    assert (result.case, result.score, result.p_value, result.decision) == ("a", 0.25, 0.5, 1)
    np.testing.assert_array_equal(result.affine, AFFINE.numpy())
    assert (result.anomaly_map.dtype, result.mask.dtype) == (np.float32, np.uint8)
    assert repr(result) == "AnomalyResult('a', shape=(5, 4), score=0.25, p_value=0.5, decision=1)"


def test_without_calibration_map_and_score_are_there() -> None:
    result = result_of_case(_case(), AxisOrder(picture=False), CalibrationError("none there"))
    assert result.score == 0.25 and result.anomaly_map.shape == (4, 5) and result.reconstruction is None
    for name in ("mask", "p_value", "decision"):
        with pytest.raises(CalibrationError, match="none there"):
            getattr(result, name)
    assert repr(result).endswith("p_value=None, decision=None)")


def test_a_threshold_gives_a_mask_without_calibration() -> None:
    case = _case(pred=torch.ones(1, 4, 5, dtype=torch.uint8), p_value=None, decision=None)
    result = result_of_case(case, AxisOrder(picture=False), None)
    assert result.mask.all() and result.p_value is None and result.decision is None
