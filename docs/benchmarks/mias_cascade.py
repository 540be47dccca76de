# SPDX-License-Identifier: Apache-2.0
"""Cross-validate the microcalcification cascade on mammograms, beside its first stage and a high-pass filter.

``python mias_cascade.py MIAS OUT [--KEY VALUE ...]``. ``MIAS`` holds ``manifest.csv`` (one film per subject) and
``patches_64.csv`` (``file, x0, y0, size, label, split``), of which the patches of ``test`` are judged: by the largest
value of the map in them. ``OUT/results.csv`` gets a row per method; ``--KEY VALUE`` goes to the bundle.
"""

import argparse
import csv
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from medad.calibration import load_calibration
from medad.configuration import build, read_config, split_overrides
from medad.crossval import Recipe, cross_validate
from medad.datalists import drop_misplaced_circles, load_splits
from medad.metrics import AnomalyMetrics, hits_near, match_detections, summarize_froc
from medad.transforms import read_circles
from monai.networks.layers import GaussianFilter
from skimage.feature import peak_local_max
from torch import Tensor
from tqdm import tqdm

BUNDLE = Path(__file__).parents[2] / "bundles" / "microcalcification_cascade"
SIGMA = 2.0
Film = Mapping[str, Any]


def cross_validations(mias: Path, out: Path, overrides: dict[str, Any], folds: int) -> dict[str, Path]:
    """Run both cross-validations; the second one begins with the first stages of the first one."""
    alone, both = out / "first_stage", out / "cascade"
    recipe = Recipe(BUNDLE, ["cpu"], ["train"], {**overrides, "stage": "separation"})
    cross_validate(recipe, str(mias), alone, folds, tell=print)
    for number in range(1, folds + 1):
        models = both / f"fold_{number}" / "models"
        if not models.exists():
            models.mkdir(parents=True)
            for name in ("model.pt", "training_state.pt"):
                shutil.copy(alone / f"fold_{number}" / "models" / name, models / name)
    cross_validate(
        Recipe(BUNDLE, ["cpu"], ["train", "train_classifier"], overrides), str(mias), both, folds, tell=print
    )
    return {"first stage": alone, "cascade": both}


def high_pass(film: Film) -> Tensor:
    """The film less a smooth one, which is an average over the breast only; 0 outside of it, ``(1, x, y)``."""
    breast = (film["foreground"].as_tensor() > 0).float()
    image = film["image"].as_tensor() * breast
    smooth = GaussianFilter(2, SIGMA)
    detail = image - smooth(image[None])[0] / smooth(breast[None])[0].clamp(min=1e-6)
    return detail.clamp(min=0) * breast


def patch_auroc(
    patches: list[dict[str, str]], map_of: Callable[[str], Tensor], scale_of: Callable[[str], float]
) -> Any:
    """AUROC of the largest value in each patch, with its interval over films."""
    metrics, maps = AnomalyMetrics(), {}
    for number, patch in enumerate(patches):
        case = Path(patch["file"]).stem
        if case not in maps:
            maps[case] = map_of(case)[0] / scale_of(case)
        x, y, size = int(patch["x0"]), int(patch["y0"]), int(patch["size"])
        score = float(maps[case][x : x + size, y : y + size].max())
        metrics.update_image(score, int(patch["label"]), None, case, case=f"{case}/{number}")
    return metrics.compute()["image_auroc"]


def baseline(mias: Path, patches: list[dict[str, str]], overrides: dict[str, Any], slack: float) -> dict[str, Any]:
    """The same metrics for the high-pass filter, on images prepared in the same way; it learns nothing."""
    config = read_config(BUNDLE, "train", ["evaluate", "cpu"], overrides)
    prepare, back = build(config, "preprocessing"), build(config, "map_postprocessing#2")
    maps, images, records = {}, AnomalyMetrics(), []
    items = [item for split in load_splits(mias)[""].values() for item in split]
    for item in tqdm(items, "high-pass filter"):
        film = prepare(dict(item))
        detail = high_pass(film)
        film["anomaly_map"] = film["image"].clone()
        film["anomaly_map"][...] = detail
        film["reconstruction"] = film["image"].clone()
        maps[item["case"]] = found = back(film)["anomaly_map"].as_tensor()
        images.update_image(float(found.max()), item["label"], None, item["subject_id"], case=item["case"])
        points = torch.from_numpy(peak_local_max(found[0].numpy(), min_distance=int(slack), threshold_abs=1e-6))
        scores = found[0][tuple(points.T)].double()
        rows = usable_circles(item)
        if item["label"] == 0 or len(rows):
            hits = hits_near(points.double(), rows[:, :2], rows[:, 2] + slack)
            records.append(match_detections(hits, scores, item["subject_id"]))
    auroc = patch_auroc(patches, maps.__getitem__, lambda _: 1.0)
    return row("high-pass filter", images.compute()["image_auroc"], auroc, summarize_froc(records))


def usable_circles(item: Mapping[str, Any]) -> Tensor:
    """Circles of a film as the evaluation of the bundle takes them."""
    kept = drop_misplaced_circles([dict(item)])[0].get("circles")
    return read_circles(kept, 2, item["case"]) if kept else torch.zeros(0, 3, dtype=torch.float64)


def learned(name: str, folder: Path, patches: list[dict[str, str]], voxel_rate: float) -> dict[str, Any]:
    """What a cross-validation found, and its patches; maps are brought to the scale of their fold."""
    with (folder / "scores.csv").open(newline="", encoding="utf-8") as file:
        fold_of = {entry["case"]: entry["fold"] for entry in csv.DictReader(file)}
    scales = {
        fold: load_calibration(folder / f"fold_{fold}" / "models" / "calibration.json").voxel_threshold(voxel_rate)
        for fold in set(fold_of.values())
    }

    def map_of(case: str) -> Tensor:
        rows = np.load(folder / f"fold_{fold_of[case]}" / "evaluation" / case / f"{case}_anomaly_map.npy")
        return torch.from_numpy(rows.T.copy())[None]

    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    auroc = patch_auroc(patches, map_of, lambda case: scales[fold_of[case]])
    raw = patch_auroc(patches, map_of, lambda _: 1.0)
    found = row(name, metrics["image_auroc"], auroc, metrics["froc"])
    more = (metrics["raw"]["image_auroc"], raw, metrics["raw"]["froc"]["mean_sensitivity"])
    return found | {
        f"raw_{key}": value["value"]
        for key, value in zip(("image_auroc", "patch_auroc", "mean_sensitivity"), more, strict=True)
    }


def row(name: str, image_auroc: Any, patch: Any, froc: Any) -> dict[str, Any]:
    """One method as a row of the table."""
    entries = {"image_auroc": image_auroc, "patch_auroc": patch, "mean_sensitivity": froc["mean_sensitivity"]}
    result = {"method": name}
    for key, value in entries.items():
        result |= {key: value["value"], f"{key}_low": value["low"], f"{key}_high": value["high"]}
    for point in froc["sensitivity_at_false_positives"]:
        result[f"sensitivity_at_{point['false_positives_per_image']:g}"] = point["value"]
    return result | {"images": froc["n"]["images"], "lesions": froc["n"]["lesions"]}


def main() -> None:
    """Run everything and write the table."""
    own, overrides = split_overrides(sys.argv[1:], ("--folds",))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mias", type=Path, help="folder with manifest.csv and patches_64.csv")
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--folds", type=int, default=5)
    args = parser.parse_args(own)
    with (args.mias / "patches_64.csv").open(newline="", encoding="utf-8") as file:
        patches = [patch for patch in csv.DictReader(file) if patch["split"] == "test"]
    folders = cross_validations(args.mias, args.out, overrides, args.folds)
    config = read_config(BUNDLE, "train", ["cpu"], overrides)
    rows = [baseline(args.mias, patches, overrides, build(config, "hit_distance"))]
    rate = build(config, "voxel_false_positive_rate")
    rows += [learned(name, folder, patches, rate) for name, folder in folders.items()]
    columns = list(dict.fromkeys(key for entry in rows for key in entry))
    with (args.out / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in entry.items()} for entry in rows)
    print((args.out / "results.csv").read_text("utf-8"))


if __name__ == "__main__":
    main()
