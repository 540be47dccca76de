# SPDX-License-Identifier: Apache-2.0
"""Candidate crops: training data of the second stage of a cascade, where the first one found something."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm

from ..anomaly_map import crop_around, find_candidates
from ..checks import require_axes
from ..datalists import Item, items_with_marked_lesions
from ..errors import InputError, unwrap_errors
from ..inferers import CascadeInferer
from ..keys import ABNORMAL, NORMAL, Keys
from ..metrics import hits_in_components
from ..morphology import label_components
from ..networks.weights import load_weights

_logger = logging.getLogger(__name__)


class CandidateCrops(Dataset[dict[str, Any]]):
    """Crops around candidates, labeled by whether they hit a lesion, and around the lesions themselves.

    So false alarms of the first stage are what the second one learns to tell from lesions, not patches drawn at random.

    Args:
        data: items as :func:`medad.datalists.items_with_marked_lesions` takes them.
        transform: from an item to its ``image`` ``(C, *spatial)`` and ``mask`` ``(1, *spatial)``, or to a list of items
            with one each, such as the slices of a volume; not random.
        network: the cascade.
        weights_path: file with its weights, of which the first stage is trained; they are loaded.
        inferer: how the first stage is applied, and what a candidate is.
        slack: how far from a lesion a candidate may be to hit it, in voxels.
        augmentation: random transform of an item, as below.
        device: where the network is.
        progress: show a progress bar.

    Shape:
        Items are ``{"image": (C, *crop_size), "label": 0 or 1}``.

    Raises:
        InputError: if there are no weights, or the first stage gives no false alarm: nothing could be learned.
        MedadError: if an image cannot be used: the error of the transform.
    """

    def __init__(
        self,
        data: Sequence[Item],
        transform: Callable[[Any], Any],
        network: nn.Module,
        weights_path: str | Path,
        inferer: CascadeInferer,
        slack: float = 0.0,
        augmentation: Callable[[Any], Any] | None = None,
        device: torch.device | str = "cpu",
        progress: bool = True,
    ) -> None:
        self.augmentation = augmentation
        load_weights(network, weights_path, device)
        found: list[tuple[Tensor, Tensor]] = []
        mode, dims = network.training, inferer.spatial_dims
        network.eval()
        for item in tqdm(items_with_marked_lesions(data), "candidates", disable=not progress):
            for image, mask in _load(item, transform):
                require_axes(image[None], dims)
                with torch.no_grad():
                    residual = inferer.separate(image[None].to(device), network)[0, :1].cpu()
                centers = find_candidates(residual, dims, inferer.threshold, inferer.min_size).centroids
                lesions = label_components(mask[0])
                hit = hits_in_components(centers, lesions, slack).any(dim=1)
                marked = [(lesions == n).nonzero().double().mean(dim=0) for n in range(1, int(lesions.max()) + 1)]
                centers = torch.cat([centers, torch.stack(marked)]) if marked else centers
                labels = torch.cat([hit, torch.ones(len(marked), dtype=torch.bool)])
                found.append((crop_around(image, centers, inferer.crop_size), labels.long()))
        network.train(mode)
        self.crops, self.labels = (torch.cat(parts) for parts in zip(*found, strict=True))
        lesions_found = int((self.labels == ABNORMAL).sum())
        false_alarms = int((self.labels == NORMAL).sum())
        _logger.info("candidates: %d crops of lesions, %d false alarms", lesions_found, false_alarms)
        if not lesions_found or not false_alarms:
            raise InputError(
                f"{lesions_found} crops of lesions and {false_alarms} false alarms of the first stage",
                where="training data",
                expected="some of both",
                remedy="Lower candidate_threshold or min_lesion_size until the first stage gives false alarms.",
            )

    def __len__(self) -> int:
        """Return the number of crops."""
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return one crop and its label."""
        item = {Keys.IMAGE.value: self.crops[index], Keys.LABEL.value: self.labels[index]}
        return item if self.augmentation is None else dict(self.augmentation(item))

    def class_weights(self) -> Tensor:
        """Weigh crops so that both classes are drawn equally often: 1 / number of crops of the class."""
        return 1 / torch.bincount(self.labels, minlength=2)[self.labels].double()


def _load(item: Item, transform: Callable[[Any], Any]) -> list[tuple[Tensor, Tensor]]:
    with unwrap_errors():
        made = transform(dict(item))
    parts = made if isinstance(made, list) else [made]
    return [(part[Keys.IMAGE].as_subclass(Tensor), part[Keys.MASK].as_subclass(Tensor)) for part in parts]
