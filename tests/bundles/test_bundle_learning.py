# SPDX-License-Identifier: Apache-2.0
"""Every bundle learns: trained on phantom heads it tells normal from abnormal, untrained it does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from bundle_tools import build
from medad.phantom import write_phantom_dataset

# what differs from cpu.json, by bundle and dimension, so that learning takes seconds
SETTINGS: dict[str, dict[int, dict[str, Any]]] = {
    "anoddpm": {
        2: {
            "image_size": [24, 24],
            "channels": [8, 16],
            "attention_levels": [False, False],
            "norm_groups": 4,
            "noise_octaves": 2,
            "noise_frequency": 4.0,
            "train_timesteps": 300,
            "augmentation": 0.0,
            "max_epochs": 16,
            "learning_rate": 0.01,
            "mode": "one_step",
            "start_levels": [100, 200, 300],
            "repeats": 2,
            "foreground_erosion": 4,
            "score_fraction": 0.05,
        },
        3: {
            "image_size": [16, 16, 16],
            "channels": [8, 16],
            "attention_levels": [False, False],
            "norm_groups": 4,
            "noise_octaves": 2,
            "noise_frequency": 4.0,
            "train_timesteps": 500,
            "augmentation": 0.0,
            "max_epochs": 16,
            "learning_rate": 0.01,
            "mode": "one_step",
            "start_levels": [100, 200, 300],
            "repeats": 2,
            "foreground_erosion": 2,
            "score_fraction": 0.05,
        },
    },
    "autoencoder": {
        2: {
            "image_size": [24, 24],
            "channels": [16, 32],
            "hidden_size": 256,
            "latent_size": 32,
            "max_epochs": 25,
            "batch_size": 16,
            "learning_rate": 0.01,
            "median_kernel_size": 3,
            "foreground_erosion": 2,
            "score_fraction": 0.05,
        },
        3: {
            "image_size": [16, 16, 16],
            "channels": [16, 32],
            "hidden_size": 256,
            "latent_size": 32,
            "max_epochs": 40,
            "batch_size": 16,
            "learning_rate": 0.01,
            "foreground_erosion": 2,
            "score_fraction": 0.1,
        },
    },
    "denoising_autoencoder": {
        2: {
            "image_size": [48, 48],
            "channels": [8, 16, 32],
            "max_epochs": 14,
            "learning_rate": 0.005,
            "foreground_erosion": 1,
            "score_fraction": 0.02,
        },
        3: {
            "image_size": [32, 32, 32],
            "channels": [8, 16],
            "max_epochs": 16,
            "batch_size": 4,
            "learning_rate": 0.005,
        },
    },
    # what encoding and decoding do not bring back; test_bundle_guided_ddim.py asks whether guidance was learned
    "guided_ddim": {
        2: {
            "image_size": [24, 24],
            "channels": [8, 16],
            "attention_levels": [False, False],
            "classifier_channels": [8, 16],
            "classifier_attention_levels": [False, False],
            "norm_groups": 4,
            "train_timesteps": 300,
            "augmentation": 0.0,
            "max_epochs": 16,
            "learning_rate": 0.01,
            "level": 200,
            "steps": 2,
            "guidance_scale": 0.0,
            "foreground_erosion": 4,
            "score_fraction": 0.05,
        },
        3: {
            "image_size": [16, 16, 16],
            "channels": [8, 16],
            "attention_levels": [False, False],
            "classifier_channels": [8, 16],
            "classifier_attention_levels": [False, False],
            "norm_groups": 4,
            "train_timesteps": 300,
            "augmentation": 0.0,
            "max_epochs": 16,
            "learning_rate": 0.01,
            "level": 200,
            "steps": 2,
            "guidance_scale": 0.0,
            "foreground_erosion": 2,
            "score_fraction": 0.05,
        },
    },
    "thor": {
        2: {
            "image_size": [24, 24],
            "channels": [8, 16],
            "attention_levels": [False, False],
            "norm_groups": 4,
            "noise_octaves": 2,
            "noise_frequency": 4.0,
            "train_timesteps": 300,
            "augmentation": 0.0,
            "max_epochs": 16,
            "learning_rate": 0.01,
            "mode": "ddim",
            "start_levels": [100, 200, 300],
            "harmonization_levels": [200, 100],
            "map_interval": 100,
            "steps": 1,
            "mask_kernel_size": 3,
            "repeats": 3,
            "foreground_erosion": 4,
            "score_fraction": 0.05,
        },
        3: {
            "image_size": [16, 16, 16],
            "channels": [8, 16],
            "attention_levels": [False, False],
            "norm_groups": 4,
            "noise_octaves": 2,
            "noise_frequency": 4.0,
            "train_timesteps": 500,
            "augmentation": 0.0,
            "max_epochs": 16,
            "learning_rate": 0.01,
            "mode": "ddim",
            "start_levels": [100, 200, 300],
            "harmonization_levels": [200, 100],
            "map_interval": 100,
            "steps": 1,
            "mask_kernel_size": 3,
            "repeats": 3,
            "foreground_erosion": 2,
            "score_fraction": 0.05,
        },
    },
}


# how many normal heads a bundle sees; an autoencoder needs more of them, since it copies nothing past its code
HEADS = {
    "anoddpm": {2: 160, 3: 400},
    "autoencoder": {2: 600, 3: 400},
    "denoising_autoencoder": {2: 160, 3: 64},
    "guided_ddim": {2: 240, 3: 400},
    "thor": {2: 160, 3: 400},
}
# and how many with a lesion, where it learns from both
ABNORMAL_HEADS = {"guided_ddim": {2: 16, 3: 40}}


def _phantom(out: Path, spatial_dims: int, size: int, heads: int, abnormal: int) -> Path:
    counts = {"training": heads, "training_abnormal": abnormal, "calibration": 20, "validation": 0, "test": 60}
    write_phantom_dataset(
        out, spatial_dims=spatial_dims, image_size=(size,) * spatial_dims, counts=counts, seed=7, progress=False
    )
    return out


def _image_auroc(bundle: Path, names: str, folder: Path, **overrides: Any) -> float:
    workflow = build(bundle, names, output_dir=folder / "eval", **overrides)
    workflow.run()
    return float(json.loads((folder / "eval" / "metrics.json").read_text())["image_auroc"]["value"])


def _learn(bundle: Path, spatial_dims: int, size: int, folder: Path) -> None:
    overlay = "volume_3d " if spatial_dims == 3 else ""
    settings = SETTINGS[bundle.name][spatial_dims]  # a new bundle needs an entry of its own
    paths = {"ckpt_path": folder / "model.pt", "calibration_path": folder / "calibration.json"}
    heads, abnormal = HEADS[bundle.name][spatial_dims], ABNORMAL_HEADS.get(bundle.name, {}).get(spatial_dims, 0)
    overrides = {
        "dataset_dir": _phantom(folder / "data", spatial_dims, size, heads, abnormal),
        **paths,
        **settings,
        "val_interval": 100,
    }
    workflow = build(bundle, f"train {overlay}cpu", ckpt_dir=folder, output_dir=folder / "train", **overrides)
    torch.save(workflow.parser.get_parsed_content("network_def").state_dict(), folder / "model.pt")
    workflow.parser.get_parsed_content("calibrate#calibrator").run()
    untrained = _image_auroc(bundle, f"train {overlay}evaluate cpu", folder, **overrides)
    workflow = build(bundle, f"train {overlay}cpu", ckpt_dir=folder, output_dir=folder / "train", **overrides)
    workflow.run()
    trained = _image_auroc(bundle, f"train {overlay}evaluate cpu", folder, **overrides)
    print(f"{bundle.name} {spatial_dims}D: image AUROC {untrained:.3f} untrained, {trained:.3f} trained")
    assert trained >= 0.85
    assert trained >= untrained + 0.15


def test_learns_in_2d(bundle: Path, tmp_path: Path) -> None:
    _learn(bundle, 2, 64, tmp_path)


# not shown to learn in 3D with the settings above; the model card says so
NOT_SHOWN_IN_3D = {"guided_ddim"}


@pytest.mark.slow
def test_learns_in_3d(bundle: Path, tmp_path: Path) -> None:
    if bundle.name in NOT_SHOWN_IN_3D:
        pytest.xfail(f"{bundle.name} was not shown to learn 3D phantoms yet")
    _learn(bundle, 3, 32, tmp_path)
