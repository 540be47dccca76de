# SPDX-License-Identifier: Apache-2.0
"""Cross-entropy of cells: logits of a coarse grid against the share of each cell that is anomalous."""

from monai.networks.layers.factories import Pool
from torch import Tensor, nn
from torch.nn import functional as F


class CellCrossEntropy(nn.Module):
    """Binary cross-entropy of a cell's logit z and the share s of its voxels that a finer mask marks.

    L = (sum s l(-z) / max(sum s, 1) + sum (1 - s) l(z) / max(sum (1 - s), 1)) / 2,  l(z) = log(1 + exp(z))

    Anomalies fill a few percent of the cells. So what they fill in a batch counts as much, in all, as what is normal,
    however rare it is; less than one cell counts for less. That needs no parameter and means the same for shares as for
    0 and 1, unlike a focal loss. Logits are then relative to even odds, not to the true frequency.

    Args:
        balanced: whether the two count the same; if not, every cell does.

    Raises:
        ValueError: in a call, if logits and mask do not belong together.
    """

    def __init__(self, balanced: bool = True) -> None:
        super().__init__()
        self.balanced = balanced

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Judge one batch.

        Args:
            logits: ``(B, 1, *grid)``.
            mask: ``(B, 1, *spatial)``, 1 where something is anomalous, else 0.

        Returns:
            Scalar.
        """
        if logits.ndim not in (4, 5) or logits.ndim != mask.ndim or logits.shape[:2] != mask.shape[:2]:
            raise ValueError(f"logits of shape {tuple(logits.shape)}, mask {tuple(mask.shape)}: (B, 1, *grid) and "
                             "(B, 1, *spatial) with 2 or 3 axes are expected.")  # fmt: skip
        share = Pool["adaptiveavg", logits.ndim - 2](logits.shape[2:])(mask.float())
        anomalous, normal = share * F.softplus(-logits.float()), (1.0 - share) * F.softplus(logits.float())
        if not self.balanced:
            return (anomalous + normal).mean()
        filled = share.sum()
        return 0.5 * (anomalous.sum() / filled.clamp(min=1) + normal.sum() / (share.numel() - filled).clamp(min=1))
