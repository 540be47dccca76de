# SPDX-License-Identifier: Apache-2.0
"""Releases of small trained bundles, 2D and 3D, and MONAI Label serving all of them together."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest
from bundle_tools import build, train_smoke_model
from medad.export import export_bundle
from medad.phantom import write_phantom_dataset

sys.path.insert(0, str(Path(__file__).parent))
from label_tools import LABEL, Served, Server, monai_label

COUNTS = {"training": 8, "training_abnormal": 4, "calibration": 20, "validation": 0, "test": 4}
FORMS = ("output_heatmap", "output_bins")


def pytest_collection_modifyitems() -> None:
    """Say what is missing before anything is trained."""
    if not (LABEL / "monailabel").is_file():
        pytest.exit("there is no environment .venv-label: run make test-label", returncode=2)


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Phantom heads as images and as volumes."""
    folders = {}
    for dimension, size in ((2, 64), (3, 32)):
        folders[dimension] = tmp_path_factory.mktemp("phantom") / "data"
        shape = (size,) * dimension
        write_phantom_dataset(
            folders[dimension], spatial_dims=dimension, image_size=shape, counts=COUNTS, seed=0, progress=False
        )
    return folders


@pytest.fixture(scope="session")
def models(
    phantoms: dict[int, Path],
    lower_thresholds: Callable[[Path, float], None],
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Served]:
    """Bundles with a 2D network, for the slices of volumes, or with a 3D one; of the last also the other forms.

    The 2D networks learn from images; all are calibrated on volumes, which is what the server gets.
    """
    served = {}
    for bundle, dimension in pytestconfig.getoption("networks"):
        overlays = ["smoke"] if dimension == 2 else ["volume_3d", "smoke"]
        folders = [tmp_path_factory.mktemp(name) for name in ("models", "training", "dist")]
        model = train_smoke_model(bundle, phantoms[dimension], *folders[:2], names=" ".join(["train", *overlays]))
        if dimension == 2:
            paths = {**model.paths, "dataset_dir": phantoms[3], "ckpt_dir": folders[0], "output_dir": folders[1]}
            build(bundle, " ".join(["train", "calibrate", *overlays]), **paths).run()
        lower_thresholds(model.models / "calibration.json", 0.75)
        weights = model.models / "model.pt"
        name = bundle.name if dimension == 2 else f"{bundle.name}_3d"
        release = export_bundle(bundle, folders[2], overlays, weights, include_bank=True)
        served[name] = Served(bundle, dimension, tuple(overlays), release.folder)
    for form in FORMS:
        release = export_bundle(bundle, tmp_path_factory.mktemp(form), [*overlays, form], weights, include_bank=True)
        served[form] = Served(bundle, dimension, (*overlays, form), release.folder)
    return served


@pytest.fixture(scope="session")
def studies(
    phantoms: dict[int, Path], request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder of volumes: phantom heads and, where they are, real ones of another size and orientation."""
    folder = tmp_path_factory.mktemp("studies")
    for path in sorted((phantoms[3] / "images").iterdir()):
        if path.name.startswith(("training_0", "test")):
            shutil.copyfile(path, folder / path.name)
    try:
        real = request.getfixturevalue("real_data")
    except pytest.skip.Exception:
        return folder
    for path in sorted((real / "lgg_3d").glob("*_flair.nii.gz"))[:2]:
        shutil.copyfile(path, folder / path.name)
    return folder


@pytest.fixture(scope="session")
def server(models: dict[str, Served], studies: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """MONAI Label with all releases, and a folder of volumes."""
    folders = {name: model.folder for name, model in models.items()}
    with monai_label(tmp_path_factory.mktemp("server"), folders, str(studies)) as server:
        yield server


@pytest.fixture
def empty(studies: Path, tmp_path: Path) -> Path:
    """A label in which nothing is marked, for the phantom heads."""
    image = nibabel.load(next(studies.glob("training*")))
    path = tmp_path / "label.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros(image.shape, dtype=np.uint8), image.affine), path)
    return path
