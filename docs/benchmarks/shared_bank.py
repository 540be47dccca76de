# SPDX-License-Identifier: Apache-2.0
"""What a bank without images of single subjects costs, and what can be read back from it.

    python docs/benchmarks/shared_bank.py --dataset_dir LGG --other_dir T1 --out shared_bank.csv

Each row is one form of the bank of ``normative_atlas``: training slices; means of groups of subjects; principal
components of the slices; slices of volumes that everybody may have, of another contrast; phantom heads. Image AUROC and
pixel AP are those of the validation split on the grid of the network. Similarity is the cosine between what a slice has
beyond the mean of the most similar slices of other subjects, and what the bank has of it: in the best of its images,
and in the best sum of all of them; of training slices, and, for comparison, of validation slices, which no bank has
seen. The last column is that of all slices of a subject together and the mean of the images that the subject is in.
"""

import argparse
import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from medad.anomaly_map import MedianSmoothMapd
from medad.datalists import load_datalist
from medad.keys import Keys
from medad.morphology import erode, relative_depth
from medad.networks import NormativeAtlas
from medad.networks.atlas.microaggregation import group_similar
from medad.networks.atlas.robust_ridge import robust_ridge
from medad.phantom import healthy_phantom
from medad.transforms import FitObjectToGridd, HeadMaskd, ScaleByTissued, SlicesOfVolume, case_preprocessing
from monai.data import MetaTensor
from monai.transforms import Compose
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor

SIZE = (96, 96)
EROSION, MEDIAN, FRACTION = 8, 5, 0.015
EVERY_SLICE_OF_A_VOLUME = 4


class Slices(NamedTuple):
    """Preprocessed slices, ``(N, 1, *SIZE)`` each."""

    images: Tensor
    foreground: Tensor
    masks: Tensor
    labels: list[int]
    subjects: list[str]


def normalization() -> list[Any]:
    """Prepare heads as head_mri.json does, and their masks with them."""
    keys = [Keys.IMAGE, Keys.FOREGROUND, Keys.MASK]
    fit = FitObjectToGridd(keys, SIZE, nearest=[False, True, True], allow_missing_keys=True)
    return [HeadMaskd(), fit, ScaleByTissued(Keys.IMAGE, 2, target=1.0, clip=4.0)]


def load(folder: Path, split: str, every: int = 1) -> Slices:
    """Read a split; of volumes every few slices."""
    prepare = Compose([case_preprocessing(1, 2, normalization()), SlicesOfVolume(2)])
    found: list[dict[Any, Any]] = []
    for item in load_datalist(folder, split):
        slices = prepare(dict(item))
        found += slices[::every] if isinstance(slices, list) else [slices]
    return gather(found)


def phantoms(count: int) -> Slices:
    """Draw heads."""
    prepare = Compose(normalization())
    found = []
    for number in range(count):
        image = MetaTensor(torch.as_tensor(healthy_phantom(0, number))[None])
        found.append({**prepare({Keys.IMAGE: image}), Keys.SUBJECT_ID: str(number)})
    return gather(found)


def gather(found: list[dict[Any, Any]]) -> Slices:
    """Join items."""
    plain = [{key: v.as_subclass(Tensor) if isinstance(v, Tensor) else v for key, v in item.items()} for item in found]
    none = torch.zeros(1, *SIZE)
    masks = [item[Keys.MASK] if isinstance(item.get(Keys.MASK), Tensor) else none for item in plain]
    return Slices(
        torch.stack([item[Keys.IMAGE] for item in plain]),
        torch.stack([item[Keys.FOREGROUND] for item in plain]),
        torch.stack(masks) > 0,
        [int(item.get(Keys.LABEL, 0)) for item in plain],
        [str(item[Keys.SUBJECT_ID]) for item in plain],
    )


def atlas_of(slices: Slices, group_size: int = 1) -> tuple[NormativeAtlas, list[list[int]]]:
    """Fill an atlas, and say which slices each of its images comes from."""
    atlas = NormativeAtlas(2, 1, SIZE, group_size=group_size)
    atlas.forget()
    atlas.remember(slices.images, torch.stack([relative_depth(mask, 2) for mask in slices.foreground]))
    return atlas, atlas.pool(slices.subjects)


def same_subjects(slices: Slices, size: int) -> tuple[NormativeAtlas, list[list[int]]]:
    """Fill an atlas with means in which always the same subjects are together."""
    plain, _ = atlas_of(slices)
    names = list(dict.fromkeys(slices.subjects))
    whose = torch.tensor([names.index(name) for name in slices.subjects])
    usual = torch.stack([plain.features[whose == number].mean(dim=0) for number in range(len(names))])
    parts, groups = [], []
    for together in group_similar(usual, names, size):
        chosen = torch.isin(whose, torch.tensor(together)).nonzero()[:, 0].tolist()
        part = Slices(*(v[chosen] if isinstance(v, Tensor) else [v[number] for number in chosen] for v in slices))
        atlas, found = atlas_of(part, size)
        parts.append(atlas.entries())
        groups += [[chosen[number] for number in group] for group in found]
    joined = NormativeAtlas(2, 1, SIZE, group_size=size)
    joined.forget()
    joined.append(**{name: torch.cat([part[name] for part in parts]) for name in parts[0]})
    return joined, groups


class Components(torch.nn.Module):
    """Principal components of all slices, and the standard deviation of what they leave over, in place of a bank."""

    def __init__(self, slices: Slices, count: int) -> None:
        super().__init__()
        self.atlas, _ = atlas_of(slices)
        bank = self.atlas.bank.float()
        self.bank = torch.cat([bank, bank.flip(2)]).flatten(1)
        self.mean = self.bank.mean(dim=0)
        _, scale, vectors = torch.pca_lowrank(self.bank - self.mean, count, niter=8)
        self.vectors = vectors.T * scale[:, None] / math.sqrt(len(self.bank))
        rest = (self.bank - self.mean) - (self.bank - self.mean) @ vectors @ vectors.T
        self.spread = rest.std(dim=0) + self.atlas.floor

    def forward(self, images: Tensor) -> Tensor:
        """Compare images with what the components make of them."""
        smooth = self.atlas.smooth(images).flatten(1)
        bases = (self.vectors / self.spread).expand(len(images), -1, -1)
        inside = smooth > 0
        weights = robust_ridge(bases, (smooth - self.mean) / self.spread, inside, 1e-4, 4)
        return ((smooth - self.mean - weights @ self.vectors) / self.spread).view_as(images)


@torch.no_grad()
def quality(network: torch.nn.Module, slices: Slices) -> Iterator[float]:
    """Image AUROC and pixel AP, for both signs and for bright lesions."""
    z = torch.cat([network(part)[:, :1] for part in slices.images.split(32)])
    median = MedianSmoothMapd(2, MEDIAN)
    inside = torch.stack([erode(mask, EROSION, 2) for mask in slices.foreground]) > 0
    for values in (z.abs(), z.clamp(min=0.0)):
        maps = torch.stack([median({Keys.ANOMALY_MAP: one})[Keys.ANOMALY_MAP] for one in values]) * inside
        counts = [max(1, math.ceil(FRACTION * int(mask.sum()))) for mask in inside]
        scores = [float(one.flatten().topk(count).values.mean()) for one, count in zip(maps, counts, strict=True)]
        yield float(roc_auc_score(slices.labels, scores))
        yield float(average_precision_score(slices.masks.flatten(), maps.flatten()))


def expected(image: Tensor, subject: str, others: NormativeAtlas, subjects: list[str]) -> tuple[Tensor, Tensor]:
    """A smoothed slice, and the mean of the most similar slices of other subjects."""
    smooth = others.smooth(image[None])
    allowed = torch.tensor([name != subject for name in subjects])
    places = others.nearest(smooth, others.num_neighbors, allowed)[0]
    both = torch.cat([others.bank, others.bank.flip(2)])
    return smooth.flatten(), both[places].float().mean(dim=0).flatten()


def of_subjects(bank: Tensor, groups: list[list[int]], slices: Slices, others: NormativeAtlas) -> float:
    """How much of what only a subject has is in the mean of the images of the bank that the subject is in."""
    found = []
    for subject in list(dict.fromkeys(slices.subjects))[::4]:
        own = [number for number, name in enumerate(slices.subjects) if name == subject]
        known = {number: expected(slices.images[number], subject, others, slices.subjects) for number in own}
        detail = torch.stack([smooth - usual for smooth, usual in known.values()]).mean(dim=0)
        within = [(image, number) for image, group in enumerate(groups) for number in group if number in known]
        if within:
            guess = torch.stack([bank[image] - known[number][1] for image, number in within]).mean(dim=0)
            found.append(float(torch.cosine_similarity(guess, detail, dim=0)))
    return sum(found) / len(found)


def similarity(bank: Tensor, slices: Slices, others: NormativeAtlas, subjects: list[str]) -> tuple[float, float]:
    """How much of what only a slice has is in the best image of a bank, and in the best sum of all."""
    best, sums = [], []
    for image, subject in zip(slices.images, slices.subjects, strict=True):
        smooth, usual = expected(image, subject, others, subjects)
        detail = smooth - usual
        weights = torch.linalg.lstsq(bank.T, smooth[:, None]).solution[:, 0]
        best.append(float(torch.cosine_similarity(bank - usual, detail[None]).max()))
        sums.append(float(torch.cosine_similarity(weights @ bank - usual, detail, dim=0)))
    return sum(best) / len(best), sum(sums) / len(sums)


def main() -> None:
    """Measure all forms."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset_dir", type=Path, required=True)
    parser.add_argument("--other_dir", type=Path, required=True, help="normal volumes of another contrast")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    training, validation = load(args.dataset_dir, "training"), load(args.dataset_dir, "validation")
    plain, single = atlas_of(training)
    some = Slices(*(value[::10] for value in training))
    normal = [number for number, label in enumerate(validation.labels) if label == 0]
    unseen = Slices(*(v[normal] if isinstance(v, Tensor) else [v[number] for number in normal] for v in validation))
    forms: dict[str, tuple[torch.nn.Module, list[list[int]]]] = {"training slices": (plain, single)}
    forms |= {f"means of {size} subjects": atlas_of(training, size) for size in (3, 5, 8)}
    forms |= {f"means of always the same {size} subjects": same_subjects(training, size) for size in (3, 5)}
    forms |= {f"{count} principal components": (Components(training, count), []) for count in (32, 64)}
    other, _ = atlas_of(load(args.other_dir, "training", EVERY_SLICE_OF_A_VOLUME))
    forms |= {"slices of volumes of another contrast": (other, []), "phantom heads": (atlas_of(phantoms(600))[0], [])}
    names = ["form", "images", "image_auroc", "pixel_ap", "image_auroc_bright", "pixel_ap_bright"]
    names += [f"{what}_{whose}" for whose in ("training", "unseen") for what in ("best_image", "best_sum")]
    with args.out.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*names, "mean_of_a_subject"])
        for form, (network, groups) in forms.items():
            row = [f"{value:.3f}" for value in quality(network, validation)]
            if isinstance(network, Components):  # no image is in there
                row += [""] * 5
            else:
                bank = network.get_buffer("bank").float().flatten(1)
                for slices in (some, unseen):
                    row += [f"{value:.3f}" for value in similarity(bank, slices, plain, training.subjects)]
                row.append(f"{of_subjects(bank, groups, training, plain):.3f}" if groups else "")
            images = len(network.vectors) if isinstance(network, Components) else len(bank)
            writer.writerow([form, images, *row])
            file.flush()
            print(form, images, *row, flush=True)


if __name__ == "__main__":
    main()
