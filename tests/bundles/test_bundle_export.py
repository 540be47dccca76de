# SPDX-License-Identifier: Apache-2.0
"""Every bundle as a release: it runs without medad, from anywhere, and beside releases of other versions."""

import csv
import hashlib
import json
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from bundle_tools import SmokeModel, build, other_weights
from medad.errors import CalibrationError, InputError
from medad.export import Release, export_bundle
from medad.export.parity import takes_timesteps
from monai.bundle import ConfigParser
from release_tools import options, run_without_medad

SCHEMA = Path(__file__).resolve().parents[1] / "golden" / "meta_schema_20240725.json"
CHECKS = """
import sys
try:
    import medad
except ModuleNotFoundError:
    from monai.bundle import ckpt_export, run, verify_metadata, verify_net_in_out

    root, schema, data, out, scriptable = sys.argv[1:]
    metadata, config = f"{root}/configs/metadata.json", f"{root}/configs/inference.json"
    run(config_file=config, bundle_root=root, dataset_dir=data, output_dir=out)
    exported = [config, f"{root}/configs/inference_ts.json"]
    run(config_file=exported, bundle_root=root, dataset_dir=data, output_dir=f"{out}_ts")
    places = {"bundle_root": root, "dataset_dir": data, "ckpt_dir": f"{out}_models", "output_dir": f"{out}_metrics"}
    run(config_file=f"{root}/configs/train.json", **places)
    run(config_file=[f"{root}/configs/train.json", f"{root}/configs/evaluate.json"], **places)
    verify_metadata(meta_file=metadata, filepath=schema)
    verify_net_in_out("network_def", metadata, config, device="cpu")
    if scriptable == "True":
        ckpt_export("network_def", f"{out}/model.ts", f"{root}/models/model.pt", metadata, config)
    assert sys.modules["scripts.medad"].__file__.startswith(root)
"""
"""What a user runs and what the model zoo verifies, in one process to be quick."""

IN_TURNS = """
import sys
from pathlib import Path
from monai.bundle import ConfigWorkflow

data, out, *roots = sys.argv[1:]
workflows = []
for number, root in enumerate(roots):
    paths = {"bundle_root": root, "dataset_dir": data, "output_dir": f"{out}/{number}", "overwrite": True}
    config = f"{root}/configs/inference.json"
    workflow = ConfigWorkflow(config_file=config, workflow_type="infer", num_workers=2, **paths)
    workflow.initialize()
    workflows.append(workflow)
for number in (0, 1, 0):
    workflows[number].run()
    code = workflows[number].inferer.infer.__code__.co_filename
    assert Path(code).resolve().is_relative_to(roots[number]), code
"""
"""Two releases in one process, with processes that load data."""


@pytest.fixture(scope="session")
def release(smoke_model: SmokeModel, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The trained bundle with its overlay baked in, and its network as TorchScript."""
    out = tmp_path_factory.mktemp("dist")
    return export_bundle(
        smoke_model.bundle, out, ["smoke"], smoke_model.models / "model.pt", torchscript=True, include_bank=True
    )


@pytest.fixture
def own_imports() -> Iterator[None]:
    """Leave no trace of a release in this process."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    _forget_scripts()


def _forget_scripts() -> None:
    """What MONAI Label does before it builds a part of a bundle."""
    for name in [name for name in sys.modules if name.split(".")[0] == "scripts"]:
        del sys.modules[name]


def _scores(folder: Path) -> list[float]:
    with (folder / "scores.csv").open(newline="") as file:
        return [float(row["score"]) for row in csv.DictReader(file)]


def test_a_release_holds_everything_and_names_nothing_outside(release: Release, smoke_model: SmokeModel) -> None:
    files = {path.relative_to(release.folder).as_posix() for path in release.folder.rglob("*") if path.is_file()}
    assert {"LICENSE", "configs/metadata.json", "models/model.pt", "models/calibration.json"} <= files
    assert {"scripts/__init__.py", "scripts/medad/__init__.py", "scripts/medad/py.typed"} <= files
    assert not [name for name in files if "__pycache__" in name or name.startswith("eval/")]
    for path in (release.folder / "configs").glob("*.json"):
        assert not re.search(
            r"(?<!scripts\.)\bmedad\.(?!calibration)", path.read_text("utf-8").replace("/medad/", "")
        ), path
    metadata = json.loads((release.folder / "configs" / "metadata.json").read_text())
    assert "medad" not in metadata["required_packages_version"]
    assert release.archive.name == f"{smoke_model.bundle.name}_v{metadata['version']}.zip"


def test_the_zip_unpacks_to_the_folder_and_depends_on_contents_alone(
    release: Release, smoke_model: SmokeModel, tmp_path: Path
) -> None:
    with zipfile.ZipFile(release.archive) as archive:
        archive.extractall(tmp_path)
    unpacked = tmp_path / release.folder.name
    for folder, other in ((unpacked, release.folder), (release.folder, unpacked)):
        for path in folder.rglob("*"):
            if path.is_file():
                assert path.read_bytes() == (other / path.relative_to(folder)).read_bytes()
    assert release.sha256 == hashlib.sha256(release.archive.read_bytes()).hexdigest()


@pytest.mark.one_bundle
def test_equal_input_gives_equal_bytes(smoke_model: SmokeModel, tmp_path: Path) -> None:
    weights = smoke_model.models / "model.pt"
    first = export_bundle(smoke_model.bundle, tmp_path / "first", ["smoke"], weights, include_bank=True)
    copied = Path(shutil.copytree(smoke_model.models, tmp_path / "copied")) / "model.pt"
    os.utime(copied, (0, 0))
    calibration = copied.with_name("calibration.json").rename(tmp_path / "another_name.json")
    again = export_bundle(
        smoke_model.bundle, tmp_path / "again", ["smoke.json"], copied, calibration, include_bank=True
    )
    assert again.sha256 == first.sha256
    assert (
        export_bundle(
            smoke_model.bundle, tmp_path / "other", ["smoke", "output_bins"], copied, include_bank=True
        ).sha256
        != first.sha256
    )


def test_overlays_are_baked_in_with_the_meaning_of_a_run(release: Release, smoke_model: SmokeModel) -> None:
    for base in ("train", "inference"):
        files = [str(smoke_model.bundle / "configs" / f"{name}.json") for name in (base, "smoke")]
        expected = ConfigParser()
        expected.read_config(files)
        baked = ConfigParser()
        baked.read_config(str(release.folder / "configs" / f"{base}.json"))
        text = json.dumps(baked.get()).replace("scripts.medad", "medad")
        same = {key: value for key, value in json.loads(text).items() if key not in ("imports", "initialize", "run")}
        assert same == {key: value for key, value in expected.get().items() if key in same} and len(same) > 20
        for key, extra in (("imports", -1), ("initialize", 0), ("run", 0)):
            if key in expected.get():
                values = json.loads(text)[key]
                del values[extra]
                assert values == expected.get()[key]


@pytest.mark.each_kind
def test_without_medad_from_another_folder(release: Release, smoke_model: SmokeModel, tmp_path: Path) -> None:
    network = build(smoke_model.bundle, "inference smoke", "infer", **smoke_model.paths).network_def
    scriptable = not takes_timesteps(network)
    arguments = (release.folder, SCHEMA, smoke_model.data, tmp_path / "out", scriptable)
    done = run_without_medad(tmp_path, "-c", CHECKS, *map(str, arguments))
    assert done.returncode == 0, done.stderr
    assert len(_scores(tmp_path / "out")) == 6 and (tmp_path / "out" / "report.html").is_file()
    assert _scores(tmp_path / "out_ts") == pytest.approx(_scores(tmp_path / "out"), rel=1e-4)
    assert (tmp_path / "out_models" / "calibration.json").is_file()
    assert (tmp_path / "out_metrics" / "metrics.json").is_file()
    assert (tmp_path / "out" / "model.ts").is_file() == scriptable


@pytest.mark.slow
@pytest.mark.one_bundle
def test_commands_without_medad(release: Release, smoke_model: SmokeModel, tmp_path: Path) -> None:
    """One epoch of training and an inference as typed in the folder of the release."""
    root = shutil.copytree(release.folder, tmp_path / release.folder.name)
    found = run_without_medad(root, "-c", "import medad")
    assert found.returncode == 1 and "No module named 'medad'" in found.stderr
    (root / "models" / "model.pt").unlink()
    (root / "models" / "calibration.json").unlink()
    run = ("-m", "monai.bundle", "run", "--config_file")
    train = run_without_medad(root, *run, "configs/train.json", *options(dataset_dir=smoke_model.data))
    assert train.returncode == 0, train.stderr
    assert (root / "models" / "model.pt").is_file() and (root / "models" / "calibration.json").is_file()
    places = options(dataset_dir=smoke_model.data, output_dir=tmp_path / "out")
    infer = run_without_medad(root, *run, "configs/inference.json", *places)
    assert infer.returncode == 0, infer.stderr
    assert len(_scores(tmp_path / "out")) == 6
    # a verb of MONAI that builds a part and runs nothing finds scripts in the working directory only
    files = (f"--meta_file={root}/configs/metadata.json", f"--config_file={root}/configs/inference.json")
    verb = ("-m", "monai.bundle", "verify_net_in_out", "network_def", *files, f"--bundle_root={root}", "--device=cpu")
    checked = run_without_medad(tmp_path, *verb)
    assert checked.returncode == 1 and "scripts.medad" in checked.stderr


@pytest.mark.slow
@pytest.mark.one_bundle
def test_releases_of_two_versions_in_one_process(release: Release, smoke_model: SmokeModel, tmp_path: Path) -> None:
    """Opened together and run in turns, each with its own code, also in the processes that load its data."""
    other = _other_version(release, tmp_path)
    arguments = (smoke_model.data, tmp_path / "out", release.folder, other)
    done = run_without_medad(tmp_path, "-c", IN_TURNS, *map(str, arguments), timeout=200)
    assert done.returncode == 0, done.stderr
    assert min(_scores(tmp_path / "out" / "1")) > 1000 > max(_scores(tmp_path / "out" / "0"))


def test_releases_of_two_versions_loaded_as_monai_label_does(
    release: Release, smoke_model: SmokeModel, tmp_path: Path, own_imports: None
) -> None:
    """Forget ``scripts`` before every part, put the bundle first on the path, take it off again."""
    other = _other_version(release, tmp_path)
    item = json.loads((smoke_model.data / "datalist.json").read_text())["test"][0]
    scores = {}
    for folder in (release.folder, other, release.folder, other):
        config = ConfigParser()
        config.read_config(str(folder / "configs" / "inference.json"))
        config.update({"bundle_root": str(folder), "device": "cpu"})
        parts = {}
        for name in ("network_def", "preprocessing", "inferer", "postprocessing"):
            sys.path.insert(0, str(folder))
            _forget_scripts()
            parts[name] = config.get_parsed_content(name)
            sys.path.remove(str(folder))
        network = parts["network_def"].eval()
        network.load_state_dict(torch.load(folder / "models" / "model.pt", weights_only=True))
        case = parts["preprocessing"]({"image": str(smoke_model.data / item["image"]), "case": "case"})
        with torch.no_grad():
            case["pred"] = parts["inferer"](case["image"][None], network)[0]
        score = float(parts["postprocessing"](case)["anomaly_score"])
        assert scores.setdefault(folder, score) == score
    assert scores[other] == pytest.approx(1000 + scores[release.folder])


def _other_version(release: Release, folder: Path) -> Path:
    """A copy of a release whose package adds 1000 to every score."""
    other = shutil.copytree(release.folder, folder / "other_version" / release.folder.name).resolve()
    with (other / "scripts" / "medad" / "anomaly_map" / "score.py").open("a") as file:
        file.write("\n_first = anomaly_score\n\n\ndef anomaly_score(*args, **options):\n")
        file.write("    return _first(*args, **options) + 1000\n")
    return other


@pytest.mark.each_kind
def test_weights_that_do_not_fit_are_refused(smoke_model: SmokeModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--overlay"):
        export_bundle(smoke_model.bundle, tmp_path, [], smoke_model.models / "model.pt", include_bank=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.each_kind
def test_a_calibration_of_other_weights_or_another_score_is_refused(smoke_model: SmokeModel, tmp_path: Path) -> None:
    models = Path(shutil.copytree(smoke_model.models, tmp_path / "models"))
    state = torch.load(models / "model.pt", weights_only=True)
    torch.save(other_weights(state), models / "model.pt")
    settings = tmp_path / "settings.json"
    settings.write_text('{"foreground_threshold": 0.123}')
    for overlays, weights, what in (
        (["smoke"], models / "model.pt", "calibration of other weights"),
        (
            ["smoke", settings],
            smoke_model.models / "model.pt",
            r"calibration of another score, with preprocessing .*ForegroundMaskd threshold",
        ),
    ):
        with pytest.raises(CalibrationError, match=what) as refused:
            export_bundle(smoke_model.bundle, tmp_path / "out", overlays, weights, include_bank=True)
        assert "--calibration" in str(refused.value) and "--threshold" not in str(refused.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.one_bundle
def test_a_release_without_weights_is_asked_for(smoke_model: SmokeModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train.json.*--weights.*--without_weights"):
        export_bundle(smoke_model.bundle, tmp_path, ["smoke"], tmp_path / "nothing.pt", include_bank=True)
    release = export_bundle(smoke_model.bundle, tmp_path, ["smoke"], without_weights=True)
    assert not list((release.folder / "models").iterdir()) and not release.calibrated
