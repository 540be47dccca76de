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


class ExpectedImaged(Transform):
    """Add to a normal image what those of other subjects let an atlas expect of it.

    An image that the atlas knows, or one of the same subject, would be expected as it is, with its faults.

    Args:
        atlas: the atlas; :meth:`fit` fills it.
    """

    def __init__(self, atlas: NormativeAtlas) -> None:
        self.atlas = atlas
        self.subjects: list[str] = []

    def fit(self, items: Sequence[Mapping[Hashable, Any]]) -> None:
        """Put normal images into the atlas, which forgets those it had.

        Args:
            items: images with their depth and ``subject_id``, on the grid of the atlas.

        Raises:
            InputError: if all images are of one subject.
        """
        self.subjects = []
        self.atlas.forget()
        for number in range(len(items)):
            item = items[number]
            self.subjects.append(str(item[Keys.SUBJECT_ID]))
            self.atlas.remember(self._one(item[Keys.IMAGE]), self._one(item[DEPTH]))
        if len(set(self.subjects)) < 2:
            raise InputError(
                f"{len(self.subjects)} images of {len(set(self.subjects))} subject",
                where="training data",
                expected="normal images of at least 2 subjects: what is expected of an image comes from the others",
                remedy="Give images of more subjects, or leave variant_atlas out.",
            )

    @torch.no_grad()
    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add expected image and spread to one item."""
        item = dict(data)
        subject = str(item[Keys.SUBJECT_ID])
        others = self.atlas.part([number for number, name in enumerate(self.subjects) if name != subject])
        expectation = others.expect(others.smooth(self._one(item[Keys.IMAGE])))
        item[EXPECTED], item[SPREAD] = expectation.image[0].cpu(), expectation.spread[0].cpu()
        return item

    def _one(self, image: Tensor) -> Tensor:
        """Make a batch of one image where the atlas is."""
        return image[None].float().to(self.atlas.bank.device)
