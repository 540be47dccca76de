# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.networks import DenoisingUNet
from medad.networks.autoencoders.weight_standardized_conv import WeightStandardizedConv
from torch.nn import functional as F

CASES = [
    ({"spatial_dims": 2, "in_channels": 1, "out_channels": 1, "channels": (8, 16)}, (2, 1, 16, 24)),
    ({"spatial_dims": 2, "in_channels": 3, "out_channels": 3, "channels": (8, 16, 16)}, (1, 3, 8, 8)),
    ({"spatial_dims": 3, "in_channels": 1, "out_channels": 1, "channels": (8, 16)}, (1, 1, 8, 4, 12)),
]


@pytest.mark.parametrize(("arguments", "shape"), CASES)
def test_shape_gradient_and_torchscript(arguments: dict[str, object], shape: tuple[int, ...]) -> None:
    network = DenoisingUNet(**arguments)  # type: ignore[arg-type]
    x = torch.randn(shape)
    y = network(x)
    assert y.shape == x.shape
    y.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    torch.testing.assert_close(torch.jit.script(network)(x), y)


def test_published_size() -> None:
    # counted from the description: 5 levels of 64..1024 channels give 31.04 M parameters
    assert sum(p.numel() for p in DenoisingUNet(2, 1, 1).parameters()) == 31_042_369


def test_a_sample_does_not_see_its_batch() -> None:
    network = DenoisingUNet(2, 1, 1, channels=(8, 16)).eval()
    x = torch.randn(3, 1, 16, 16)
    torch.testing.assert_close(network(x)[1:2], network(x[1:2]))


@pytest.mark.parametrize("size", [(15, 16), (4, 16)])
def test_wrong_image_size_is_explained(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        DenoisingUNet(2, 1, 1, channels=(8, 8, 8))(torch.zeros(1, 1, *size))


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="channels"):
        DenoisingUNet(2, 1, 1, channels=(8,))
    with pytest.raises(ValueError, match="norm_groups"):
        DenoisingUNet(2, 1, 1, channels=(8, 12))
    with pytest.raises(ValueError, match="spatial_dims"):
        WeightStandardizedConv(1, 1, 1)
    with pytest.raises(ValueError, match="kernel_size"):
        WeightStandardizedConv(2, 1, 1, kernel_size=4)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_standardized_convolution_against_float64(spatial_dims: int) -> None:
    conv = WeightStandardizedConv(spatial_dims, 3, 4)
    torch.nn.init.normal_(conv.bias)
    x = torch.randn(2, 3, *(5,) * spatial_dims)
    w = conv.weight.double()
    axes = tuple(range(1, w.ndim))
    w = (w - w.mean(axes, keepdim=True)) / torch.sqrt(w.var(axes, unbiased=False, keepdim=True) + conv.eps)
    w = w / (3 * 3**spatial_dims) ** 0.5
    padded = F.pad(x.double(), [1] * 2 * spatial_dims, mode="reflect")
    expected = (F.conv2d if spatial_dims == 2 else F.conv3d)(padded, w, conv.bias.double())
    torch.testing.assert_close(conv(x).double(), expected, rtol=1e-5, atol=1e-5)


def test_standardization_makes_scale_and_offset_of_the_weights_irrelevant() -> None:
    conv = WeightStandardizedConv(2, 2, 3)
    x = torch.randn(1, 2, 6, 6)
    before = conv(x)
    with torch.no_grad():
        conv.weight.mul_(3).add_(5)
    torch.testing.assert_close(conv(x), before, rtol=1e-3, atol=1e-4)
