# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from medad.errors import InputError
from medad.predict.arrays import AxisOrder
from medad.predict.inputs import axis_order_of_file, item_of_image


def test_a_2d_nifti_file_is_no_picture() -> None:
    assert axis_order_of_file("slice.nii.gz", torch.zeros(1, 4, 5)) == AxisOrder(picture=False)
    assert axis_order_of_file(["a.png", "b.png"], torch.zeros(2, 4, 5)) == AxisOrder(picture=True, channel_axis=-1)


@pytest.mark.parametrize("image", [3, None, [], ["a.png", 3], [np.zeros((4, 4)), np.zeros((4, 4))]])
def test_what_is_no_path(image: Any) -> None:
    with pytest.raises(InputError, match="Expected a path"):
        item_of_image(image)


def test_paths_become_items(tmp_path: Path) -> None:
    assert item_of_image(tmp_path / "a.nii.gz") == ({"image": str(tmp_path / "a.nii.gz"), "case": "a"}, None)
    assert item_of_image(["t1.nii", "t2.nii"])[0] == {"image": ["t1.nii", "t2.nii"], "case": "t1"}
    with pytest.raises(InputError, match="with a file"):
        item_of_image("a.png", channel_axis=0)
