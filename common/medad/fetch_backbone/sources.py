# SPDX-License-Identifier: Apache-2.0
"""Sources of published weights: ImageNet for 2D, MedicalNet for 3D."""

from monai.networks.nets.efficientnet import url_map
from monai.utils import optional_import

from ..errors import InputError

_MEDICALNET = "https://huggingface.co/TencentMedicalNet/MedicalNet-Resnet{depth}/resolve/main/resnet_{depth}.pth"


def published_channels(backbone_name: str) -> int:
    """Say how many channels the images had that the weights were trained on.

    Args:
        backbone_name: see :func:`medad.networks.features.backbones.make_backbone`.

    Returns:
        1 for MedicalNet, which the ResNets of MONAI have; 3 for ImageNet.
    """
    return 1 if backbone_name.startswith("resnet") else 3


def published_url(backbone_name: str, spatial_dims: int) -> str:
    """Name the file with the weights: for a backbone of MONAI, the one that MONAI itself would take.

    Args:
        backbone_name: a backbone of MONAI or torchvision, see :func:`medad.networks.features.backbones.make_backbone`.
        spatial_dims: spatial axes, 2 or 3.

    Returns:
        Its address.

    Raises:
        InputError: if nobody has published weights of this backbone.

    References:
        1. Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019,
           arXiv:1905.11946; weights converted by lukemelas/EfficientNet-PyTorch.
        2. Chen et al., "Med3D: Transfer Learning for 3D Medical Image Analysis", arXiv:1904.00625.
    """
    package, _, name = backbone_name.rpartition(":")
    if package == "torchvision":
        models, _ = optional_import("torchvision.models")
        return str(models.get_model_weights(name).DEFAULT.url)
    if spatial_dims == 2 and name in url_map:
        return url_map[name]
    if spatial_dims == 3 and name.startswith("resnet"):
        return _MEDICALNET.format(depth=name.removeprefix("resnet"))
    raise InputError(
        f"no weights are published for spatial_dims {spatial_dims}",
        where=backbone_name,
        expected="efficientnet-b0 to -b7, torchvision:NAME or timm:NAME in 2D, or resnet10 to resnet200 in 3D",
        remedy="Name one of these with its --spatial_dims, or train this one on your normal images with "
        "train_backbone.json.",
    )
