# SPDX-License-Identifier: Apache-2.0
"""Every bundle on a CUDA device: it trains with mixed precision there, and maps are those of the processor."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bundle_tools import BUNDLES, SmokeModel, train_smoke_model
from medad.export import export_bundle
from medad.phantom import write_phantom_dataset
from medad.predict import AnomalyDetector, AnomalyResult

pytestmark = pytest.mark.gpu
COUNTS = {"training": 8, "training_abnormal": 4, "calibration": 20, "validation": 0, "test": 6}
SIZES = {2: 64, 3: 32}
TOLERANCE = 1e-3  # of the range of the map


@pytest.fixture(autouse=True)
def _full_precision() -> Iterator[None]:
    """Leave out TensorFloat-32: what is left is the order of sums."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


@pytest.fixture(scope="module", params=[2, 3], ids=["2d", "3d"])
def phantoms(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    """Spatial axes and folder of a small phantom data set."""
    folder, dims = tmp_path_factory.mktemp("phantoms") / "data", int(request.param)
    write_phantom_dataset(folder, dims, image_size=(SIZES[dims],) * dims, counts=COUNTS, seed=0, progress=False)
    return dims, folder


@pytest.fixture(scope="module", params=BUNDLES, ids=lambda folder: folder.name)
def trained(
    request: pytest.FixtureRequest, phantoms: tuple[int, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[SmokeModel, list[str]]:
    """A bundle trained and calibrated on the device, and its overlays."""
    dims, data = phantoms
    overlays = ["volume_3d", "smoke"] if dims == 3 else ["smoke"]
    models, log = (tmp_path_factory.mktemp(name) for name in ("models", "log"))
    return train_smoke_model(request.param, data, models, log, " ".join(["train", *overlays])), overlays


def _detector(trained: tuple[SmokeModel, list[str]], device: str, **overrides: Any) -> AnomalyDetector:
    model, overlays = trained
    paths = {"ckpt_path": model.paths["ckpt_path"], "calibration_path": model.paths["calibration_path"]}
    return AnomalyDetector(model.bundle, overlays, device=device, **paths, **overrides)


def _maps(detector: AnomalyDetector, data: Path) -> list[AnomalyResult]:
    rows = json.loads((data / "datalist.json").read_text())["test"]
    return list(detector.map([str(data / row["image"]) for row in rows]))


def _assert_close(results: list[AnomalyResult], expected: list[AnomalyResult]) -> None:
    span = max(float(np.ptp(result.anomaly_map)) for result in expected)
    assert span > 0
    for result, other in zip(results, expected, strict=True):
        assert np.abs(result.anomaly_map - other.anomaly_map).max() < TOLERANCE * span
        assert abs(result.score - other.score) < TOLERANCE * span
        assert result.decision == other.decision and result.decision in (0, 1)


def test_maps_and_decisions_are_those_of_the_processor(trained: tuple[SmokeModel, list[str]]) -> None:
    data = trained[0].data
    _assert_close(_maps(_detector(trained, "cuda"), data), _maps(_detector(trained, "cpu"), data))


def test_torchscript_from_the_processor_runs_on_the_device(
    trained: tuple[SmokeModel, list[str]], tmp_path: Path
) -> None:
    model, overlays = trained
    weights = Path(model.paths["ckpt_path"])
    exported = export_bundle(model.bundle, tmp_path, overlays, weights, torchscript=True, include_bank=True).folder
    detector = _detector(trained, "cuda")
    expected = _maps(detector, model.data)
    detector.network = torch.jit.load(str(exported / "models" / "model.ts"), map_location="cuda")
    _assert_close(_maps(detector, model.data), expected)


def test_a_compiled_network_gives_the_same(trained: tuple[SmokeModel, list[str]]) -> None:
    bundle, data = trained[0].bundle, trained[0].data
    if "compile" not in json.loads((bundle / "configs" / "train.json").read_text()):
        pytest.skip(f"{bundle.name} has no key 'compile'")
    fast = _detector(trained, "cuda", compile=True, channels_last=True)
    _assert_close(_maps(fast, data), _maps(_detector(trained, "cuda"), data))
