# SPDX-License-Identifier: Apache-2.0
"""What the export refuses: destinations that hold something else, bundles that are none, overlays of a run."""

import json
import shutil
from pathlib import Path

import medad
import pytest
from medad.errors import InputError
from medad.export import Release, export_bundle
from medad.export.__main__ import main
from release_tools import run_without_medad

EVERY_MODULE = """
import importlib, pkgutil
import scripts.medad

found = [module.name for module in pkgutil.walk_packages(scripts.medad.__path__, "scripts.medad.")]
for name in found:
    importlib.import_module(name)
print(len(found))
"""
BUNDLES = Path(__file__).resolve().parents[3] / "bundles"
BUNDLE = min(path.parent.parent for path in BUNDLES.glob("*/configs/inference.json"))


def _export(bundle: Path, out: Path) -> Release:
    return export_bundle(bundle, out, ["smoke"], without_weights=True)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle to take things from."""
    return Path(shutil.copytree(BUNDLE, tmp_path / "bundles" / BUNDLE.name, ignore=shutil.ignore_patterns("models")))


def test_a_release_holds_the_rooms_and_predict_alone(tmp_path: Path) -> None:
    """Whatever is added to the package has to be put on one of the two sides; every module of a release is imported."""
    folder = _export(BUNDLE, tmp_path).folder / "scripts" / "medad"
    doors = {
        "bench",
        "crossval",
        "demo",
        "dicom_seg",
        "export",
        "fetch_backbone",
        "latent_size",
        "new_bundle",
        "phantom",
    }
    package = Path(medad.__file__).parent
    whole, released = ({path.stem for path in place.iterdir() if path.stem[0] != "_"} for place in (package, folder))
    assert whole - released == doors and released < whole and "predict" in released
    done = run_without_medad(tmp_path / BUNDLE.name, "-c", EVERY_MODULE)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 150


NAMED_AT_A_RUN = ["evaluate", "calibrate", "inference_ts", "multi_gpu_train", "multi_gpu_evaluate"]


@pytest.mark.parametrize("name", [*NAMED_AT_A_RUN, "train", "inference", "metadata"])
def test_overlays_of_a_run_are_refused_by_name(tmp_path: Path, name: str) -> None:
    for overlay in (name, f"{name}.json", BUNDLE / "configs" / f"{name}.json"):
        with pytest.raises(
            InputError, match=rf"{name}\.json cannot become part of a release.*Leave {name} out"
        ) as error:
            export_bundle(BUNDLE, tmp_path / "out", ["smoke", overlay], without_weights=True)
        assert ("named when it is run" in str(error.value)) == (name in NAMED_AT_A_RUN)
    with pytest.raises(InputError, match="there is no overlay 'spu'") as error:
        export_bundle(BUNDLE, tmp_path / "out", ["spu"], without_weights=True)
    assert {"cpu", "output_bins"} <= set(error.value.expected.split("one of ")[1].split(", "))
    assert name not in error.value.expected.split("one of ")[1].split(", ")


def test_an_overlay_of_the_user_becomes_part(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text('{"batch_size": 3}')
    folder = export_bundle(BUNDLE, tmp_path, ["smoke", tmp_path / "mine.json"], without_weights=True).folder
    assert json.loads((folder / "configs" / "inference.json").read_text())["batch_size"] == 3


def test_weights_are_named_or_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([str(BUNDLE), "--out", str(tmp_path / "out"), "--without_weights", "--weights", "model.pt"])
    assert "not allowed with argument" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"weights=model\.pt.* must be None"):
        export_bundle(BUNDLE, tmp_path / "out", weights="model.pt", without_weights=True)
    assert not (tmp_path / "out").exists()
