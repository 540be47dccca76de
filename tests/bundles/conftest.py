# SPDX-License-Identifier: Apache-2.0
"""All bundles found under bundles/, phantom data for them, and one small trained model of each."""

import os
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from bundle_tools import SmokeModel, SmokeModels, asked, build, train_smoke_model
from filelock import FileLock
from medad.networks.autoencoders.vgg19_features import VGG19Features
from medad.phantom import write_phantom_dataset


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that asks for a bundle over all of them, or over fewer where a marker says so."""
    if "bundle" in metafunc.fixturenames:
        markers = [
            name for name in ("one_bundle", "each_kind", "one_fast") if metafunc.definition.get_closest_marker(name)
        ]
        bundles = asked(*markers, runs="shared" in metafunc.fixturenames)  # the folder of phantoms and trained models
        metafunc.parametrize("bundle", bundles, ids=lambda folder: folder.name, scope="session")


@pytest.fixture(autouse=True)
def _quiet_exceptions() -> Iterator[None]:
    """Put back what configs install for the command line."""
    hook = sys.excepthook
    yield
    sys.excepthook = hook


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that the workers of pytest-xdist have in common: what is made once there is only read afterwards."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def phantom_2d(shared: Path) -> Path:
    """Small 2D phantom data set."""
    return _phantom(shared / "phantom_2d", spatial_dims=2, size=64)


@pytest.fixture(scope="session")
def phantom_3d(shared: Path) -> Path:
    """Small 3D phantom data set."""
    return _phantom(shared / "phantom_3d", spatial_dims=3, size=32)


def _phantom(out: Path, spatial_dims: int, size: int) -> Path:
    counts = {"training": 8, "training_abnormal": 4, "calibration": 20, "validation": 0, "test": 6}
    write_phantom_dataset(
        out, spatial_dims=spatial_dims, image_size=(size,) * spatial_dims, counts=counts, seed=0, progress=False
    )
    return out


@pytest.fixture(scope="session")
def smoke_models(phantom_2d: Path, shared: Path) -> Iterator[SmokeModels]:
    """Give a bundle after train.json + smoke.json, training and calibration; the first worker that asks trains it."""
    given: dict[Path, dict[str, bytes]] = {}

    def train_once(bundle: Path) -> SmokeModel:
        folder = shared / bundle.name
        model = SmokeModel(bundle, folder / "models", phantom_2d)
        with FileLock(f"{folder}.lock"):
            if not (folder / "models" / "calibration.json").is_file():  # the last file of a run
                train_smoke_model(bundle, phantom_2d, folder / "models", folder / "training")
        given.setdefault(model.models, _contents(model.models))
        return model

    yield train_once
    for models, before in given.items():
        assert _contents(models) == before, f"a test has changed {models}"


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): sha256(path.read_bytes()).digest() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def smoke_model(bundle: Path, smoke_models: SmokeModels) -> SmokeModel:
    """The bundle that a test is about, trained."""
    return smoke_models(bundle)


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
