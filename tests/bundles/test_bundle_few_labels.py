# SPDX-License-Identifier: Apache-2.0
"""A few marked images beside the normal ones: lesions of new images are rebuilt worse than without them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from bundle_tools import ROOT, build_in, fails_with, train_in
from medad.errors import InputError
from medad.phantom import write_phantom_dataset
from monai.transforms import Compose
from torch import Tensor

BUNDLE = ROOT / "bundles" / "denoising_autoencoder"
FEW = "train train_few_labels smoke"
SETTINGS: dict[str, Any] = {"max_epochs": 40, "learning_rate": 0.003, "val_interval": 100}


def _contrast(data: Path, folder: Path) -> float:
    """Mean residual in lesions over mean residual in normal images, of test images."""
    content = build_in(BUNDLE, data, folder, FEW, **SETTINGS).parser.get_parsed_content
    network, load = content("network_def"), Compose(content("train#loading"))
    network.load_state_dict(torch.load(folder / "model.pt", weights_only=True))
    network.eval()
    residuals: dict[int, list[Tensor]] = {0: [], 1: []}
    items = build_in(BUNDLE, data, folder, "train evaluate smoke").parser.get_parsed_content("validate#datalist")
    for item in items:
        case = load({"mask": "", **item})
        image, foreground = case["image"].as_tensor()[None], case["foreground"].as_tensor() > 0
        with torch.no_grad():
            residual = (image - network(image)).abs()[0]
        residuals[item["label"]].append(residual[case["mask"].as_tensor() > 0 if item["label"] else foreground])
    means = [float(torch.cat(residuals[label]).mean()) for label in (0, 1)]
    return means[1] / means[0]


@pytest.mark.slow
def test_marked_lesions_keep_residuals_apart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    counts = {"training": 32, "training_abnormal": 64, "calibration": 20, "validation": 0, "test": 32}
    write_phantom_dataset(data, spatial_dims=2, image_size=(64, 64), counts=counts, seed=11, progress=False)
    found = {}
    for weight in (0.0, 1.0):
        folder = tmp_path / str(weight)
        momentum = {"average_momentum": 0.05}  # of the averaged weights: this training is short
        train_in(BUNDLE, data, folder, FEW, separation_weight=weight, **SETTINGS, **momentum)
        found[weight] = _contrast(data, folder)
    assert found[1.0] > 1.2 * found[0.0], found


@pytest.mark.parametrize("dims", [2, 3])
def test_trained_weights_are_those_of_the_bundle(dims: int, phantom_2d: Path, phantom_3d: Path, tmp_path: Path) -> None:
    """What few labels trained is calibrated, and used, without the overlay."""
    data, names = (phantom_2d, FEW) if dims == 2 else (phantom_3d, "train train_few_labels volume_3d smoke")
    build_in(BUNDLE, data, tmp_path, names, batch_size=4).run()
    evaluation = names.replace("train_few_labels", "evaluate")
    build_in(BUNDLE, data, tmp_path, evaluation).run()
    assert (tmp_path / "log" / "metrics.json").is_file()


def test_normal_images_alone_are_refused(phantom_2d: Path, tmp_path: Path) -> None:
    lists = json.loads((phantom_2d / "datalist.json").read_text())
    for split in ("training", "training_abnormal", "calibration"):
        for row in lists[split]:
            row["image"] = str(phantom_2d / row["image"])
            row.pop("mask", None)
    (tmp_path / "datalist.json").write_text(json.dumps({key: lists[key] for key in ("training", "training_abnormal")}))
    with fails_with(InputError, "no abnormal images with a mask or circles"):
        train_in(BUNDLE, tmp_path, tmp_path, FEW)
