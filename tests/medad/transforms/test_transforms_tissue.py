# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.errors import InputError
from medad.transforms import ScaleByTissued, scale_by_tissue
from monai.data import MetaTensor


def _slice(tissue: float = 100.0, scalp: float = 500.0, fluid: float = 10.0) -> tuple[torch.Tensor, torch.Tensor]:
    """A head ``(1, x, y)``: bright rim, tissue, and fluid in a third of the deep interior."""
    image = torch.zeros(1, 40, 40)
    image[:, 4:36, 4:36] = scalp
    image[:, 7:33, 7:33] = tissue
    image[:, 16:24, 17:23] = fluid
    return image, (image > 0).float()


@pytest.mark.parametrize("scalp", [100.0, 900.0])
@pytest.mark.parametrize("fluid", [1.0, 49.0])
def test_tissue_is_one_whatever_the_scalp_and_the_fluid(scalp: float, fluid: float) -> None:
    scaled = scale_by_tissue(*_slice(scalp=scalp, fluid=fluid), 2)
    assert float(scaled[0, 12, 12]) == 1.0
    assert float(scaled[0, 5, 5]) == pytest.approx(min(scalp / 100.0, 4.0))
    assert float(scaled[0, 20, 20]) == pytest.approx(fluid / 100.0)


def test_the_reference_is_the_median_of_the_brighter_deep_voxels() -> None:
    values = torch.tensor([1.0, 2.0, 6.0, 8.0, 9.0, 9.0])  # median 6 (the lower one): 6, 8, 9, 9 count, median 8
    assert torch.equal(
        scale_by_tissue(values.view(1, 2, 3), torch.ones(1, 2, 3), 2, target=2.0), values.view(1, 2, 3) / 4
    )


def test_each_slice_of_a_volume_has_its_own_scale_and_a_3d_image_one() -> None:
    image, head = _slice()
    volume = torch.stack([image, 0.5 * image, torch.zeros_like(image)], dim=-1)
    heads = torch.stack([head, head, torch.zeros_like(head)], dim=-1)
    scaled = scale_by_tissue(volume, heads, 2)
    assert torch.equal(scaled[..., 0], scale_by_tissue(image, head, 2))
    torch.testing.assert_close(scaled[..., 1], scaled[..., 0])
    assert not bool(scaled[..., 2].any())
    whole = scale_by_tissue(volume, heads, 3)
    torch.testing.assert_close(whole[..., 0], 0.01 * volume[..., 0].clamp(max=400.0) * whole[0, 12, 12, 0])
    torch.testing.assert_close(whole[0, 12, 12, 1], 0.5 * whole[0, 12, 12, 0])


def test_whole_numbers_are_no_obstacle() -> None:
    image, head = _slice(scalp=200.0)
    torch.testing.assert_close(scale_by_tissue(image.to(torch.uint8), head, 2), scale_by_tissue(image, head, 2))


def test_channels_have_their_own_scale() -> None:
    image, head = _slice()
    scaled = scale_by_tissue(torch.cat([image, 7 * image]), head, 2)
    torch.testing.assert_close(scaled[0], scaled[1])


def test_the_transform_keeps_metadata_and_refuses_a_head_of_one_value() -> None:
    image, head = _slice()
    case = {"image": MetaTensor(image, affine=2 * torch.eye(3)), "foreground": head}
    scaled = ScaleByTissued("image", 2, target=0.4, clip=1.5)(case)["image"]
    assert float(scaled[0, 12, 12]) == pytest.approx(0.4) and float(scaled.max()) == 1.5
    assert torch.equal(scaled.affine, case["image"].affine)
    for empty in (torch.zeros_like(image), 3 * head):
        with pytest.raises(InputError, match="one value only"):
            ScaleByTissued("image", 2)({"image": empty, "foreground": head})


@pytest.mark.parametrize(
    "argument", [{"spatial_dims": 4}, {"depth": 1.0}, {"target": 0.0}, {"target": 2.0, "clip": 1.0}]
)
def test_arguments_out_of_range(argument: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(argument))):
        ScaleByTissued("image", **{"spatial_dims": 2, **argument})  # type: ignore[arg-type]
