# SPDX-License-Identifier: Apache-2.0
"""Lesion restoration: find synthetic lesions, and undo them."""

from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import check_at_least


class LesionRestorationLoss(nn.Module):
    """Judge where a network sees lesions, and how it heals them.

    L = a CE(z, y) + b (1 - Dice(sigmoid z, y)) + c mean |h - h*|

    with logits z, lesions y, and what heals the image, h. Cross-entropy and Dice (over the whole batch) leave out what
    is too faint to call; the mean is that over the object.

    Args:
        cross_entropy: weight a, at least 0.
        dice: weight b, at least 0.
        restoration: weight c, at least 0.

    Raises:
        ValueError: if a weight is negative.
    """

    def __init__(self, cross_entropy: float = 4.0, dice: float = 0.3, restoration: float = 2.0) -> None:
        super().__init__()
        check_at_least(0, cross_entropy=cross_entropy, dice=dice, restoration=restoration)
        self.cross_entropy = cross_entropy
        self.dice = dice
        self.restoration = restoration

    def forward(self, prediction: Tensor, target: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Judge one batch.

        Args:
            prediction: ``(B, 1 + C, *spatial)``: logit, and what has to be added to the image.
            target: what heals the image ``(B, C, *spatial)``; lesions ``(B, 1, *spatial)``, 1 in them, 0 outside, -1
                where it is too faint for either; depth ``(B, 1, *spatial)``, above 0 in the object.

        Returns:
            Scalar.
        """
        change, lesions, depth = target
        logit, healing = prediction[:, :1].float(), prediction[:, 1:].float()
        clear, marked = (lesions >= 0).to(logit.dtype), (lesions > 0).to(logit.dtype)
        entropy = F.binary_cross_entropy_with_logits(logit, marked, clear, reduction="sum") / clear.sum().clamp(min=1)
        found = logit.sigmoid() * clear
        dice = (2.0 * (found * marked).sum() + 1.0) / (found.sum() + marked.sum() + 1.0)
        inside = (depth > 0).to(logit.dtype)
        restoration = ((healing - change).abs() * inside).sum() / (change.shape[1] * inside.sum()).clamp(min=1)
        loss: Tensor = self.cross_entropy * entropy + self.dice * (1.0 - dice) + self.restoration * restoration
        return loss
