# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.morphology import relative_depth
from medad.transforms import RelativeDepthd


@pytest.mark.parametrize(("spatial_dims", "shape"), [(2, (1, 12, 14)), (2, (1, 12, 14, 3)), (3, (1, 12, 14, 9))])
def test_the_depth_is_an_entry_of_its_own(spatial_dims: int, shape: tuple[int, ...]) -> None:
    mask = torch.zeros(shape)
    mask[:, 2:9, 3:11] = 1
    item = {"foreground": mask, "label": 0}
    result = RelativeDepthd(spatial_dims)(item)
    assert torch.equal(result["depth"], relative_depth(mask, spatial_dims)) and float(result["depth"].max()) == 1.0
    assert "depth" not in item and result["foreground"] is mask


def test_other_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match="spatial_dims"):
        RelativeDepthd(4)
