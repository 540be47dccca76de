# SPDX-License-Identifier: Apache-2.0
import torch
from medad.noise.scalars import scalar

CPU = torch.device("cpu")


def test_a_scalar_has_no_axes_and_its_type_and_is_made_once() -> None:
    for value, dtype in ((3, torch.int32), (0.5, torch.float32), (0.5, torch.float64)):
        made = scalar(value, dtype, CPU)
        assert made.shape == () and made.dtype == dtype and made.item() == value
        assert scalar(value, dtype, CPU) is made


def test_one_made_in_an_inference_serves_a_training() -> None:
    with torch.inference_mode():
        made = scalar(0.1234, torch.float32, CPU)
    assert not made.is_inference()
