# SPDX-License-Identifier: Apache-2.0
"""Loss over the foreground: the mean of another loss where the object is."""

from torch import Tensor, nn


class ForegroundLoss(nn.Module):
    """Mean of an elementwise loss over the foreground.

    L = sum(f * l(prediction, image)) / (C * sum(f)), with foreground f in {0, 1}.

    Args:
        loss: elementwise loss with ``reduction="none"``, such as ``torch.nn.MSELoss(reduction="none")``.

    Raises:
        ValueError: if ``loss`` reduces.

    References:
        Kascenas et al., "Denoising Autoencoders for Unsupervised Anomaly Detection in Brain MRI", MIDL 2022, section 3.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        if getattr(loss, "reduction", "none") != "none":
            raise ValueError(f"loss {type(loss).__name__} reduces: give it reduction='none'.")
        self.loss = loss

    def forward(self, prediction: Tensor, target: tuple[Tensor, Tensor]) -> Tensor:
        """Compare ``prediction`` with the image inside the foreground.

        Args:
            prediction: ``(B, C, *spatial)``.
            target: clean image ``(B, C, *spatial)`` and foreground ``(B, 1, *spatial)``.

        Returns:
            Scalar; 0 if there is no foreground.
        """
        image, foreground = target
        elementwise = self.loss(prediction, image) * foreground
        return elementwise.sum() / (image.shape[1] * foreground.sum()).clamp(min=1)
