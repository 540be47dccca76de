# SPDX-License-Identifier: Apache-2.0
"""Releases of small trained bundles, the application of the how-to, and what to run it on."""

import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bundle_tools import train_smoke_model
from deploy_tools import Exported, application_of_the_page, run
from dicom_files import OBLIQUE, write_series
from medad.export import export_bundle
from medad.phantom import abnormal_phantom, write_phantom_dataset

COUNTS = {"training": 8, "training_abnormal": 4, "calibration": 20, "validation": 0, "test": 0}
SIZES = {2: 64, 3: 32}
SETTINGS = {"voxel_false_positive_rate": 0.01}
"""Baked in, as the how-to shows."""


@pytest.fixture(scope="session")
def export(
    lower_thresholds: Callable[[Path, float], None], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Path, int], Exported]:
    """Train, calibrate and export a bundle, once."""
    settings = tmp_path_factory.mktemp("settings") / "settings.json"
    settings.write_text(json.dumps(SETTINGS))

    @functools.cache
    def phantom(spatial_dims: int) -> Path:
        data = tmp_path_factory.mktemp("phantom") / "data"
        size = (SIZES[spatial_dims],) * spatial_dims
        write_phantom_dataset(data, spatial_dims=spatial_dims, image_size=size, counts=COUNTS, seed=0, progress=False)
        return data

    @functools.cache
    def trained_and_exported(bundle: Path, spatial_dims: int) -> Exported:
        overlays = ["volume_3d", "smoke"] if spatial_dims == 3 else ["smoke"]
        folders = [tmp_path_factory.mktemp(name) for name in ("models", "training", "mask", "heatmap")]
        model = train_smoke_model(bundle, phantom(spatial_dims), *folders[:2], names=" ".join(["train", *overlays]))
        lower_thresholds(model.models / "calibration.json", 0.25)  # heatmaps reach 255
        overlays.append(str(settings))
        weights = model.models / "model.pt"
        mask = export_bundle(bundle, folders[2], overlays, weights, include_bank=True).folder
        heatmap = export_bundle(bundle, folders[3], [*overlays, "output_heatmap"], weights, include_bank=True).folder
        return Exported(model, overlays, mask, heatmap)

    return trained_and_exported


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Go over the networks."""
    if "exported" in metafunc.fixturenames:
        networks = metafunc.config.getoption("networks")
        ids = [f"{bundle.name}-{spatial_dims}d" for bundle, spatial_dims in networks]
        metafunc.parametrize("exported", networks, indirect=True, ids=ids, scope="session")


@pytest.fixture(scope="session")
def exported(request: pytest.FixtureRequest, export: Callable[[Path, int], Exported]) -> Exported:
    """A bundle with a 2D or a 3D network."""
    return export(*request.param)


@pytest.fixture
def one_exported(export: Callable[[Path, int], Exported], pytestconfig: pytest.Config) -> Exported:
    """One of them."""
    return export(*pytestconfig.getoption("networks")[0])


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of the how-to as a file, in an environment that does not know medad."""
    path = tmp_path_factory.mktemp("application") / "app.py"
    path.write_text(application_of_the_page())
    assert "No module named 'medad'" in run(path.parent, "-c", "import medad").stderr
    return path


@pytest.fixture(scope="session")
def volume() -> np.ndarray:
    """A head with a lesion, ``(x, y, z)``, uint16."""
    head, _, _ = abnormal_phantom(seed=0, index=3, spatial_dims=3, image_size=(48, 48, 48))
    return (1000 * head[2:46, 4:44, 9:42:3]).astype(np.uint16)


@pytest.fixture(scope="session")
def oblique_series(volume: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The volume as a series with planted identifiers, and with what the SDK stumbles over.

    Oblique, slices in reverse order, the outer ones empty, pixels that are not square, values with fractions, a window.
    """
    folder = tmp_path_factory.mktemp("dicom") / "oblique"
    slices = volume.T.copy()
    slices[[0, -1]] = 0
    values = {"RescaleSlope": 0.001, "RescaleIntercept": 0}
    window = {"WindowCenter": 0.3, "WindowWidth": 0.4, "VOILUTFunction": "LINEAR_EXACT"}
    write_series(folder, slices, "MR", OBLIQUE, reverse=True, **values, **window)
    return folder
