# SPDX-License-Identifier: Apache-2.0
"""Post-processing of one case: a missing calibration costs the mask only, any other error is the caller's."""

from typing import Any

import pytest
import torch
from medad.engines import postprocess_case
from medad.errors import CalibrationError, InputError
from monai.data import MetaTensor
from monai.transforms import Compose

ITEM = {"image": MetaTensor(torch.rand(1, 4, 5), affine=torch.diag(torch.tensor([2.0, 3.0, 1.0, 1.0]))), "case": "a"}


def _score(case: dict[str, Any]) -> dict[str, Any]:
    return {**case, "anomaly_score": float(case["pred"].sum())}


def _uncalibrated(case: dict[str, Any]) -> dict[str, Any]:
    try:
        raise CalibrationError("none")
    except CalibrationError as error:  # as MONAI does
        raise RuntimeError("applying transform") from error


def _mask(case: dict[str, Any]) -> dict[str, Any]:
    return {**case, "mask": case["pred"] > 0}


@pytest.mark.parametrize("shape", [(1, 4, 5), (2, 4, 5, 6)])
def test_all_steps_on_a_case_of_its_own(shape: tuple[int, ...]) -> None:
    prediction = torch.rand(*shape, requires_grad=True)
    case, error = postprocess_case(ITEM, prediction, Compose([Compose([_score]), _mask]))
    assert error is None and case["mask"].all() and case["case"] == "a"
    assert torch.equal(case["pred"].affine, ITEM["image"].affine) and not case["pred"].requires_grad
    assert set(ITEM) == {"image", "case"}


def test_one_step_needs_no_compose() -> None:
    assert postprocess_case(ITEM, torch.ones(1, 4, 5), _score)[0]["anomaly_score"] == 20


def test_without_calibration_what_came_before_is_kept() -> None:
    case, error = postprocess_case(ITEM, torch.rand(1, 4, 5), Compose([_score, _uncalibrated, _mask]))
    assert isinstance(error, CalibrationError)
    assert case["note"] == f"{error} There is no mask."
    assert "anomaly_score" in case and "mask" not in case


def test_another_error_is_raised() -> None:
    def broken(case: dict[str, Any]) -> dict[str, Any]:
        raise InputError("nothing", where="a", expected="something", remedy="Look.")

    with pytest.raises(InputError, match="nothing"):
        postprocess_case(ITEM, torch.rand(1, 4, 5), broken)
