# SPDX-License-Identifier: Apache-2.0
"""Cut the patches that ``patches_64.csv`` lists out of mammograms: ``python mias_patches.py MIAS OUT``.

``MIAS`` holds ``patches_64.csv`` (``file, x0, y0, size, label, split``) and the mammograms that it names. ``OUT``
becomes a data set with ``datalist.json``; the film is the subject.
"""

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path

from PIL import Image

SPLITS = {"train": "training", "val": "validation", "test": "test"}


def main() -> None:
    """Cut all patches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mias", type=Path, help="folder with patches_64.csv")
    parser.add_argument("out", type=Path, help="folder to write")
    args = parser.parse_args()
    (args.out / "images").mkdir(parents=True)
    datalist = defaultdict(list)
    with (args.mias / "patches_64.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        x, y, size = int(row["x0"]), int(row["y0"]), int(row["size"])
        film = Path(row["file"]).stem
        name = f"images/{film}_{x}_{y}.png"
        with Image.open(args.mias / row["file"]) as mammogram:
            mammogram.crop((x, y, x + size, y + size)).save(args.out / name)
        datalist[SPLITS[row["split"]]].append({"image": name, "label": int(row["label"]), "subject_id": film})
    (args.out / "datalist.json").write_text(json.dumps(datalist, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
