# SPDX-License-Identifier: Apache-2.0
r"""Which kinds of lesions a trained bundle finds: bright and dark, clear and faint, small and large.

    python docs/benchmarks/lesion_kinds.py --dataset_dir LGG --bundle BUNDLE --overlay head_mri cpu \
        --weights model.pt --out kinds.csv

One lesion of each kind is put into each normal slice of the validation split, on the grid of the file. It is found if
the map exceeds, somewhere in it, the value that 95 % of the slices without lesions never reach. Lesions are those of
``RandSyntheticLesions``, which ``synthetic_anomaly`` learns from, with ranges of their own: they tell kinds and methods
apart, and say nothing about patients.
"""

import argparse
import csv
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from medad.datalists import load_datalist
from medad.keys import NORMAL, Keys
from medad.morphology import relative_depth
from medad.predict import AnomalyDetector
from medad.transforms import HeadMaskd, RandSyntheticLesions, case_preprocessing
from torch import Tensor

RADII = {"tiny": (0.015, 0.03), "small": (0.03, 0.06), "medium": (0.06, 0.12), "large": (0.12, 0.28)}
CONTRASTS = {"faint": (0.12, 0.25), "clear": (0.5, 1.2)}
SIGNS = {"bright": 1.0, "dark": 0.0}
SHARE = 0.95
COLUMNS = ("bundle", "overlays", "settings", "sign", "contrast", "size", "median_pixels", "lesions", "found")


def slices(folder: Path) -> Iterator[tuple[Tensor, Tensor]]:
    """Give normal slices of the validation split with their depth, each ``(1, x, y)``."""
    prepare = case_preprocessing(1, 2, [HeadMaskd()])
    for item in load_datalist(folder, "validation"):
        if item[Keys.LABEL] == NORMAL:
            case = prepare(dict(item))
            yield case[Keys.IMAGE].as_subclass(Tensor).float(), relative_depth(case[Keys.FOREGROUND].as_tensor(), 2)


def main() -> None:
    """Count what is found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset_dir", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--overlay", nargs="*", default=[])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--set", nargs="*", default=[], help="further keys: sign=bright")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    given = dict(each.split("=", 1) for each in args.set)
    detector = AnomalyDetector(args.bundle, args.overlay, ckpt_path=str(args.weights), device="cpu", **given)
    normal = list(slices(args.dataset_dir))

    def maps(images: list[Tensor]) -> list[np.ndarray]:
        return [result.anomaly_map for result in detector.map(image[0].T.numpy() for image in images)]

    limit = float(np.quantile([one.max() for one in maps([image for image, _ in normal])], SHARE))
    rows = []
    for (sign, share), (contrast, change), (size, radius) in itertools.product(
        SIGNS.items(), CONTRASTS.items(), RADII.items()
    ):
        draw = RandSyntheticLesions(1.0, radius, change, share, 1.0)
        draw.set_random_state(0)
        drawn = []
        for image, depth in normal:
            draw.randomize(2)
            draw.lesions = draw.lesions[:1]
            drawn.append(draw(image, depth, randomize=False))
        marks = [one.lesions[0].T.numpy() > 0 for one in drawn]
        seen = [number for number, mark in enumerate(marks) if mark.any()]
        found = maps([drawn[number].image for number in seen])
        hits = [bool(one[marks[number]].max() > limit) for one, number in zip(found, seen, strict=True)]
        pixels = int(np.median([marks[number].sum() for number in seen])) if seen else 0
        rows.append([args.bundle.name, " ".join(args.overlay), " ".join(args.set), sign, contrast, size, pixels])
        rows[-1] += [len(seen), f"{np.mean(hits):.3f}" if hits else ""]
        print(*rows[-1], flush=True)
    with args.out.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not file.tell():
            writer.writerow(
                ["bundle", "overlays", "settings", "sign", "contrast", "size", "median_pixels", "lesions", "found"]
            )
        writer.writerows(rows)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
