# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.anomaly_map.grid import entry, like, on_grid_of
from monai.data import MetaTensor


def test_metadata_comes_from_the_reference_and_the_type_stays() -> None:
    affine = torch.diag(torch.tensor([2.0, 3.0, 1.0], dtype=torch.float64))
    reference = MetaTensor(torch.rand(1, 2, 2), affine=affine, meta={"filename_or_obj": "a.nii"})
    labels = torch.ones(1, 2, 2, dtype=torch.uint8)
    result = like(labels, reference)
    assert isinstance(result, MetaTensor) and result.dtype == torch.uint8
    assert torch.equal(result.affine, affine) and result.meta["filename_or_obj"] == "a.nii"
    assert like(labels, torch.rand(1, 2, 2)) is labels


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32, torch.bool])
def test_a_mask_becomes_booleans(kind: torch.dtype) -> None:
    mask = on_grid_of(MetaTensor(torch.tensor([[0, 1, 1]]).to(kind)), torch.zeros(1, 3))
    assert type(mask) is torch.Tensor and mask.dtype == torch.bool and mask.tolist() == [[False, True, True]]


def test_another_grid_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 2, 3\), the anomaly map \(1, 3, 2\)"):
        on_grid_of(torch.ones(1, 2, 3), torch.ones(1, 3, 2))


def test_a_missing_entry_is_named_with_those_there_are() -> None:
    assert entry({"pred": 5}, "pred", "Step") == 5
    with pytest.raises(KeyError, match=r"Step: no entry 'pred', found \['case', 'image'\]"):
        entry({"image": 1, "case": 2}, "pred", "Step")
