# SPDX-License-Identifier: Apache-2.0
"""Every bundle learns: trained on phantom heads it tells normal from abnormal, untrained it does not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from bundle_tools import ROOT, build, usually
from filelock import FileLock
from medad.phantom import write_phantom_dataset

# a small diffusion network, and a noise whose waves are as long as the lesions of small phantoms
DIFFUSION: dict[int, dict[str, Any]] = {
    dims: {
        "image_size": [size] * dims,
        "channels": [8, 16],
        "attention_levels": [False, False],
        "norm_groups": 4,
        "train_timesteps": levels,
        "augmentation": 0.0,
        "max_epochs": 16,
        "learning_rate": 0.01,
        "foreground_erosion": erosion,
        "score_fraction": 0.05,
    }
    for dims, size, levels, erosion in ((2, 24, 300, 4), (3, 16, 500, 2))
}
SIMPLEX: dict[str, Any] = {"noise_octaves": 2, "noise_frequency": 4.0, "start_levels": [100, 200, 300]}
ONE_STEP: dict[str, Any] = {**SIMPLEX, "mode": "one_step", "repeats": 2}
HARMONIZED: dict[str, Any] = {
    **SIMPLEX,
    "mode": "ddim",
    "steps": 1,
    "harmonization_levels": [200, 100],
    "map_interval": 100,
    "mask_kernel_size": 3,
    "repeats": 3,
}
# a small transformer that learns the noise in some hundred steps
TRANSFORMER: dict[int, dict[str, Any]] = {
    dims: {
        "image_size": [size] * dims,
        "patch_size": 4,
        "hidden_size": 32,
        "depth": 2,
        "norm_groups": 4,
        "time_channels": 16,
        "train_timesteps": 400,
        "augmentation": 0.0,
        "max_epochs": epochs,
        "learning_rate": 0.005,
        "foreground_erosion": erosion,
        "score_fraction": fraction,
        **ONE_STEP,
        "start_levels": levels,
    }
    for dims, size, epochs, erosion, fraction, levels in (
        (2, 24, 28, 4, 0.05, [150, 250, 350]),
        (3, 16, 36, 2, 0.02, [100, 200, 300]),
    )
}
# in 2D what encoding and decoding do not bring back, which a few seconds of training suffice for, while
# test_bundle_guided_ddim.py asks whether guidance was learned; in 3D the guidance, which finds more there
GUIDED: dict[int, dict[str, Any]] = {
    dims: {
        "classifier_channels": [8, 16],
        "classifier_attention_levels": [False, False],
        "train_timesteps": 300,
        "level": 200,
        "steps": 2,
        **settings,
    }
    for dims, settings in (
        (2, {"guidance_scale": 0.0}),
        (3, {"guidance_scale": 100.0, "max_epochs": 24, "learning_rate": 0.005, "score_fraction": 0.02}),
    )
}
# what differs from cpu.json, by bundle and dimension, so that learning takes seconds
SETTINGS: dict[str, dict[int, dict[str, Any]]] = {
    "anoddpm": {dims: {**DIFFUSION[dims], **ONE_STEP} for dims in (2, 3)},
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
    "dtunet": TRANSFORMER,
    "guided_ddim": {dims: {**DIFFUSION[dims], **GUIDED[dims]} for dims in (2, 3)},
    "microcalcification_cascade": {
        2: {
            "image_size": [32, 32],
            "channels": [16, 32, 64],
            "candidate_threshold": 0.3,
            "candidate_size": 8,
            "max_epochs": 60,
            "batch_size": 32,
            "learning_rate": 0.005,
            "classifier_epochs": 4,
        },
        3: {
            "image_size": [16, 16, 16],
            "channels": [8, 16, 32],
            "candidate_threshold": 0.3,
            "max_epochs": 120,
            "batch_size": 16,
            "learning_rate": 0.005,
            "classifier_size": [16, 16, 16],
            "classifier_epochs": 4,
        },
    },
    "normative_atlas": {
        2: {"image_size": [48, 48], "foreground_erosion": 2, "median_kernel_size": 3},
        3: {"image_size": [32, 32, 32], "foreground_erosion": 2},
    },
    "synthetic_anomaly": {
        2: {
            "image_size": [48, 48],
            "channels": [16, 32],
            "max_epochs": 20,
            "learning_rate": 0.01,
            "foreground_erosion": 1,
            "score_fraction": 0.02,
        },
        3: {
            "image_size": [32, 32, 32],
            "channels": [16, 32],
            "max_epochs": 30,
            "batch_size": 8,
            "learning_rate": 0.005,
            "foreground_erosion": 1,
            "score_fraction": 0.02,
        },
    },
    "thor": {dims: {**DIFFUSION[dims], **HARMONIZED} for dims in (2, 3)},
    # the weights of the network bring the backbone, which is trained first (see TWO_STAGES)
    "uniad": {
        dims: {
            "image_size": [32] * dims,
            "backbone_weights": None,
            "allow_random_backbone": True,
            "backbone_layers": [1],
            "feature_size": [size] * dims,
            "hidden_size": 64,
            "num_layers": 1,
            "mlp_dim": 128,
            "score_window": window,
            "foreground_erosion": erosion,
            "max_epochs": epochs,
            "batch_size": 16,
            "learning_rate": 0.003,
            "pretext_epochs": 40,
            "pretext_batch_size": 16,
            "pretext_learning_rate": 0.003,
        }
        for dims, size, epochs, window, erosion in ((2, 8, 15, 4, 0), (3, 6, 30, 8, 2))
    },
}
# bundles whose training is that of another one, bit for bit, as the tests of thor show: its weights are taken
SAME_TRAINING = {"thor": "anoddpm"}
# bundles that train what they see with first, by train_backbone.json
TWO_STAGES = ("uniad",)
# bundles that train a classifier of what the first stage finds, by train_classifier.json
CASCADES = ("microcalcification_cascade",)

# how many normal heads a bundle sees; an autoencoder needs more of them, since it copies nothing past its code
HEADS = {
    "anoddpm": {2: 160, 3: 400},
    "autoencoder": {2: 600, 3: 400},
    "denoising_autoencoder": {2: 160, 3: 64},
    "dtunet": {2: 160, 3: 240},
    "guided_ddim": {2: 240, 3: 240},
    "microcalcification_cascade": {2: 128, 3: 64},
    "normative_atlas": {2: 300, 3: 240},
    "synthetic_anomaly": {2: 160, 3: 160},
    "uniad": {2: 240, 3: 240},
}
# and how many with a lesion, where it learns from both
ABNORMAL_HEADS = {"guided_ddim": {2: 16, 3: 240}, "microcalcification_cascade": {2: 128, 3: 64}}
PHANTOM_SIZE = {2: 64, 3: 32}

Learned = Callable[[str, int], tuple[Path, Path]]


def _phantom(out: Path, spatial_dims: int, size: int, heads: int, abnormal: int) -> Path:
    counts = {"training": heads, "training_abnormal": abnormal, "calibration": 20, "validation": 0, "test": 60}
    write_phantom_dataset(
        out, spatial_dims=spatial_dims, image_size=(size,) * spatial_dims, counts=counts, seed=7, progress=False
    )
    return out


@pytest.fixture(scope="session")
def learned(shared: Path) -> Learned:
    """Give data set and weights of a bundle, by its name and spatial axes; each is trained once."""

    def train_once(name: str, spatial_dims: int) -> tuple[Path, Path]:
        folder = shared / f"learned_{name}_{spatial_dims}d"
        with FileLock(f"{folder}.lock"):
            if not (folder / "done").exists():
                train(name, spatial_dims, folder)
                (folder / "done").touch()
        return folder / "data", folder / "model.pt"

    def train(name: str, spatial_dims: int, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        bundle = ROOT / "bundles" / name
        abnormal = ABNORMAL_HEADS.get(name, {}).get(spatial_dims, 0)
        data = _phantom(folder / "data", spatial_dims, PHANTOM_SIZE[spatial_dims], HEADS[name][spatial_dims], abnormal)
        overrides = _overrides(name, spatial_dims, data, folder)
        if name in TWO_STAGES:
            build(bundle, _names(spatial_dims, "train_backbone"), **overrides).run()
            overrides["backbone_weights"] = folder / "backbone.pt"
        workflow = build(bundle, _names(spatial_dims), **overrides)
        workflow.parser.get_parsed_content("train#trainer").run()
        if name in CASCADES:
            second = build(bundle, _names(spatial_dims, "train_classifier"), **overrides)
            second.parser.get_parsed_content("train#trainer").run()

    return train_once


def _names(spatial_dims: int, what: str = "") -> str:
    return " ".join(filter(None, ("train", "volume_3d" if spatial_dims == 3 else "", what, "cpu")))


def _overrides(name: str, spatial_dims: int, data: Path, folder: Path) -> dict[str, Any]:
    settings = SETTINGS[name][spatial_dims]
    return {"dataset_dir": data, "ckpt_dir": folder, "output_dir": folder / "out", "val_interval": 100, **settings}


def _image_auroc(bundle: Path, spatial_dims: int, overrides: dict[str, Any]) -> float:
    """Calibrate the weights that lie there, and evaluate."""
    build(bundle, _names(spatial_dims), **overrides).parser.get_parsed_content("calibrate#calibrator").run()
    build(bundle, _names(spatial_dims, "evaluate"), **overrides, overwrite=True).run()
    return float(json.loads((overrides["output_dir"] / "metrics.json").read_text())["image_auroc"]["value"])


def _learns(bundle: Path, spatial_dims: int, learned: Learned, folder: Path) -> None:
    if bundle.name not in SETTINGS:
        pytest.skip(f"{bundle.name} has no settings yet with which learning takes seconds: add them to SETTINGS")
    data, weights = learned(SAME_TRAINING.get(bundle.name, bundle.name), spatial_dims)
    overrides = _overrides(bundle.name, spatial_dims, data, folder)
    network = build(bundle, _names(spatial_dims), **overrides).parser.get_parsed_content("network_def")
    torch.save(network.state_dict(), folder / "model.pt")
    untrained = _image_auroc(bundle, spatial_dims, overrides)
    shutil.copy(weights, folder / "model.pt")
    trained = _image_auroc(bundle, spatial_dims, overrides)
    print(f"{bundle.name} {spatial_dims}D: image AUROC {untrained:.3f} untrained, {trained:.3f} trained")
    assert trained >= 0.85
    assert trained >= untrained + 0.15


@pytest.mark.one_fast
def test_learns_in_2d(bundle: Path, learned: Learned, tmp_path: Path) -> None:
    _learns(bundle, 2, learned, tmp_path)


@pytest.mark.slow
def test_learns_in_3d(bundle: Path, learned: Learned, tmp_path: Path) -> None:
    usually(bundle, "autoencoder", "denoising_autoencoder", "dtunet", "normative_atlas")
    _learns(bundle, 3, learned, tmp_path)
