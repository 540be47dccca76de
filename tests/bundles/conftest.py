# SPDX-License-Identifier: Apache-2.0
"""All bundles found under bundles/, phantom data for them, and one small trained model of each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from bundle_tools import BUNDLES, SmokeModel, build, of_each_kind, one_bundle, over_bundles, train_smoke_model
from medad.networks.autoencoders.vgg19_features import VGG19Features
from medad.phantom import write_phantom_dataset


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that asks for a bundle over all of them, or over fewer where a marker says so."""
    if "bundle" in metafunc.fixturenames:
        chosen: dict[str, Callable[[], list[Any]]] = {
            "one_bundle": one_bundle,
            "shared_machinery": over_bundles,
            "each_kind": of_each_kind,
        }
        markers = [name for name in chosen if metafunc.definition.get_closest_marker(name) is not None]
        bundles = chosen[markers[0]]() if markers else BUNDLES
        metafunc.parametrize("bundle", bundles, ids=lambda folder: folder.name, scope="session")


@pytest.fixture(autouse=True)
def _quiet_exceptions() -> Iterator[None]:
    """Put back what configs install for the command line."""
    hook = sys.excepthook
    yield
    sys.excepthook = hook


@pytest.fixture(scope="session")
def phantom_2d(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small 2D phantom data set."""
    return _phantom(tmp_path_factory.mktemp("phantom_2d") / "data", spatial_dims=2, size=64)


@pytest.fixture(scope="session")
def phantom_3d(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small 3D phantom data set."""
    return _phantom(tmp_path_factory.mktemp("phantom_3d") / "data", spatial_dims=3, size=32)


def _phantom(out: Path, spatial_dims: int, size: int) -> Path:
    counts = {"training": 8, "training_abnormal": 4, "calibration": 20, "validation": 0, "test": 6}
    write_phantom_dataset(
        out, spatial_dims=spatial_dims, image_size=(size,) * spatial_dims, counts=counts, seed=0, progress=False
    )
    return out


@pytest.fixture(scope="session")
def smoke_model(bundle: Path, phantom_2d: Path, tmp_path_factory: pytest.TempPathFactory) -> SmokeModel:
    """The bundle after train.json + smoke.json: training, then calibration."""
    models, output_dir = (tmp_path_factory.mktemp(name) for name in ("models", "training"))
    return train_smoke_model(bundle, phantom_2d, models, output_dir)


@pytest.fixture
def infer(smoke_model: SmokeModel) -> Callable[..., Path]:
    """Run inference.json + smoke.json of the smoke model and return the output folder."""

    def run(output_dir: Path, names: str = "inference smoke", **overrides: Any) -> Path:
        arguments = {**smoke_model.paths, "output_dir": output_dir, **overrides}
        workflow = build(smoke_model.bundle, names, "infer", **arguments)
        workflow.run()
        workflow.finalize()
        return output_dir

    return run


@pytest.fixture(scope="session")
def vgg_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the form of torchvision's VGG19."""
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.save({f"features.{name}": value for name, value in VGG19Features().features.state_dict().items()}, path)
    return path
