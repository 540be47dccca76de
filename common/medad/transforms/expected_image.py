# SPDX-License-Identifier: Apache-2.0
"""Expected image: what the normal images of other subjects let a normative atlas expect of this one."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.transforms import Transform
from torch import Tensor

from ..errors import InputError
from ..keys import Keys
from ..networks import NormativeAtlas
from .depth import DEPTH

EXPECTED, SPREAD = "expected", "spread"
"""Entries of a training item: expected image, and the spread of normal ones around it, each ``(C, *spatial)``."""

_TOGETHER = 64


class ExpectedImaged(Transform):
    """Add to a normal image what those of other subjects let an atlas expect of it.

    An image that the atlas knows, or one of the same subject, would be expected as it is, with its faults.

    Args:
        atlas: the atlas; :meth:`fit` fills it.
    """

    def __init__(self, atlas: NormativeAtlas) -> None:
        self.atlas = atlas
        self.subjects: list[set[str]] = []
        """Whose images each of the bank comes from."""
        self._entries: dict[str, Tensor] = {}

    def fit(self, items: Sequence[Mapping[Hashable, Any]]) -> None:
        """Put normal images into the atlas, which forgets those it had.

        Args:
            items: images with their depth and ``subject_id``, on the grid of the atlas.

        Raises:
            InputError: if one subject is in each image of the bank, or there are fewer subjects than images in a group.
        """
        subjects = [str(item[Keys.SUBJECT_ID]) for item in items]
        self.atlas.forget()
        for first in range(0, len(items), _TOGETHER):
            part = items[first : first + _TOGETHER]
            images, depths = (torch.stack([item[key].float() for item in part]) for key in (Keys.IMAGE, DEPTH))
            self.atlas.remember(images.to(self.atlas.bank.device), depths.to(self.atlas.bank.device))
        self.subjects = [{subjects[number] for number in group} for group in self.atlas.pool(subjects)]
        if not self.subjects or set.intersection(*self.subjects):
            raise InputError(
                f"{len(subjects)} normal images of {len(set(subjects))} subjects",
                where="training data",
                expected=f"at least {2 * self.atlas.group_size} subjects: what to expect of one comes from others",
                remedy="Give images of more subjects, lower group_size, or leave variant_atlas out.",
            )
        self._entries = self.atlas.entries()

    def restore(self) -> None:
        """Put the images back into the atlas, which may have loaded those of another training."""
        device = self.atlas.bank.device
        self.atlas.forget()
        self.atlas.append(**{name: value.to(device) for name, value in self._entries.items()})

    @torch.no_grad()
    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add expected image and spread to one item."""
        item = dict(data)
        device = self.atlas.bank.device
        allowed = torch.tensor([str(item[Keys.SUBJECT_ID]) not in names for names in self.subjects], device=device)
        smooth = self.atlas.smooth(item[Keys.IMAGE][None].float().to(device))
        expectation = self.atlas.expect(smooth, allowed)
        item[EXPECTED], item[SPREAD] = expectation.image[0].cpu(), expectation.spread[0].cpu()
        return item
