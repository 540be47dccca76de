# SPDX-License-Identifier: Apache-2.0
"""VGG19 features, frozen, up to relu4_2."""
# annotations are not deferred here: TorchScript reads the types of the buffers

from pathlib import Path

import torch
from torch import Tensor, nn

from ...errors import InputError
from ..weights import read_tensors

_WIDTHS = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, 256, "pool", 512, 512)
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_SD = (0.229, 0.224, 0.225)


class VGG19Features(nn.Module):
    """The 512 features of relu4_2, at an eighth of the resolution.

    The layers are numbered as in torchvision's file (``vgg19-dcbb9e9d.pth``), so that its weights fit; nothing is ever
    fetched. Without a file the weights are random, for a network that gets them from its own ``model.pt``.

    Args:
        weights_path: file with the state dict of torchvision's VGG19, or ``None``.

    Shape:
        ``(B, C, H, W)``, C 1 or 3, values about 0..1, to ``(B, 512, H // 8, W // 8)``.

    Raises:
        InputError: if the file is missing or holds something else.

    References:
        Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015,
        arXiv:1409.1556, table 1 (E).
    """

    out_channels = 512
    image_mean: Tensor
    image_sd: Tensor

    def __init__(self, weights_path: str | Path | None = None) -> None:
        super().__init__()
        self.has_weights = weights_path is not None
        layers: list[nn.Module] = []
        inputs = 3
        for width in _WIDTHS:
            if isinstance(width, int):
                layers += [nn.Conv2d(inputs, width, kernel_size=3, padding=1), nn.ReLU()]
                inputs = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.register_buffer("image_mean", torch.tensor(_IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("image_sd", torch.tensor(_IMAGENET_SD).view(1, 3, 1, 1))
        if weights_path is not None:
            self._load(Path(weights_path))
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Give the features of ``x``."""
        return self.features((x.expand(-1, 3, -1, -1) - self.image_mean) / self.image_sd)

    def _load(self, path: Path) -> None:
        expected = "the state dict of torchvision's VGG19"
        remedy = "Fetch vgg19-dcbb9e9d.pth from PyTorch's model hub once and name the local file."
        if not path.is_file():
            raise InputError("no such file", where=path, expected=expected, remedy=remedy)
        try:
            state = read_tensors(path)
            wanted = self.features.state_dict()
            self.features.load_state_dict({name: state[f"features.{name}"] for name in wanted}, strict=True)
        except InputError as error:
            raise InputError(error.what, where=path, expected=expected, remedy=remedy) from None
        except Exception as error:
            reason = str(error).strip().splitlines()[0]
            raise InputError(f"weights do not fit ({reason})", where=path, expected=expected, remedy=remedy) from None
