# SPDX-License-Identifier: Apache-2.0
"""Parity gate: from file to score and decision, every bundle and variant gives the same with its exported network."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bundle_tools import KINDS, VARIANTS, SmokeModel, build, fails_with, usually
from medad.errors import CalibrationError, InputError
from medad.export import export_bundle
from medad.export.parity import takes_timesteps
from medad.networks import OnnxNetwork, weights_hash
from medad.predict import AnomalyDetector
from monai.bundle import onnx_export

TOLERANCE = 1e-4
FORMS = ["ts", pytest.param("onnx", marks=pytest.mark.slow)]


def _changes_the_network(bundle: Path, names: str) -> bool:
    """Say whether a variant brings another network, or another value of a key that the network is built from."""
    train = json.loads((bundle / "configs" / "train.json").read_text())
    keys, found = {"network_def"}, {"network_def"}
    while found:
        found = {name for key in found for name in re.findall(r"@(\w+)", json.dumps(train.get(key)))} - keys
        keys |= found
    return any(keys & json.loads((bundle / "configs" / f"{name}.json").read_text()).keys() for name in names.split())


NETWORKS = [variant for variant in VARIANTS if _changes_the_network(*variant)]
NETWORK_IDS = [f"{bundle.name}-{names}" for bundle, names in NETWORKS]


def _gate(form: str, bundle: Path, overlays: list[str], models: Path, data: Path, out: Path) -> None:
    """Export a network, put it in the place of the network, and compare every image of the test split."""
    weights = models / "model.pt"
    paths = {"ckpt_path": str(weights), "calibration_path": str(models / "calibration.json")}
    detector = AnomalyDetector(bundle, overlays, device="cpu", **paths)
    can = detector.inferer.uses_forward_only and getattr(detector.network, "onnx_can", True)
    if form == "onnx" and not can:
        with pytest.raises(InputError, match="not exportable"):
            export_bundle(bundle, out, overlays, weights, onnx=True, include_bank=True)
        return
    images = [str(data / row["image"]) for row in json.loads((data / "datalist.json").read_text())["test"]]
    expected = list(detector.map(images))
    span = max(float(np.ptp(result.anomaly_map)) for result in expected)
    before = weights_hash(detector.network.state_dict())
    exported = export_bundle(
        bundle, out, overlays, weights, torchscript=form == "ts", onnx=form == "onnx", include_bank=True
    ).folder
    path = exported / "models" / f"model.{form}"
    assert weights_hash(exported / "models" / "model.pt") == before
    if form == "ts":
        assert weights_hash(path) == before
    detector.network = OnnxNetwork(path) if form == "onnx" else torch.jit.load(str(path))
    for result, eager in zip(detector.map(images), expected, strict=True):
        assert np.abs(result.anomaly_map - eager.anomaly_map).max() < TOLERANCE * span
        assert abs(result.score - eager.score) < TOLERANCE * span
        assert result.decision == eager.decision and result.decision in (0, 1)


@pytest.mark.parametrize("form", FORMS)
def test_exported_networks_decide_as_the_network(smoke_model: SmokeModel, tmp_path: Path, form: str) -> None:
    _gate(form, smoke_model.bundle, ["smoke"], smoke_model.models, smoke_model.data, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("volume", "form"), [("", "onnx"), ("volume_3d ", "ts")])
@pytest.mark.parametrize(("variant_of", "names"), NETWORKS, ids=NETWORK_IDS)
def test_exported_variants_decide_as_the_network(
    variant_of: Path,
    names: str,
    volume: str,
    form: str,
    phantom_2d: Path,
    phantom_3d: Path,
    vgg_path: Path,
    tmp_path: Path,
) -> None:
    if volume and "perceptual" in names:
        pytest.skip("VGG19 is a 2D network")
    if form == "onnx":
        usually(variant_of, *KINDS, "autoencoder")
    data = phantom_3d if volume else phantom_2d
    extra = {"vgg_path": vgg_path} if "perceptual" in names else {}
    places = {"dataset_dir": data, "ckpt_dir": tmp_path / "models", "output_dir": tmp_path / "log"}
    build(variant_of, f"train {volume}{names} smoke", **places, **extra).run()
    overlays = [*volume.split(), *names.split(), "smoke"]
    _gate(form, variant_of, overlays, tmp_path / "models", data, tmp_path / "dist")


@pytest.mark.each_kind
def test_inference_runs_from_torchscript_alone(smoke_model: SmokeModel, infer: Any, tmp_path: Path) -> None:
    release = export_bundle(
        smoke_model.bundle,
        tmp_path / "dist",
        ["smoke"],
        smoke_model.models / "model.pt",
        torchscript=True,
        include_bank=True,
    )
    models = shutil.copytree(release.folder / "models", tmp_path / "models")
    (models / "model.pt").unlink()
    names = "inference smoke inference_ts"
    out = infer(tmp_path / "ts", names, ckpt_path=models / "model.ts")
    eager = infer(tmp_path / "eager")
    for name in ("scores.csv", "failures.csv"):
        lines = zip((out / name).read_text().splitlines(), (eager / name).read_text().splitlines(), strict=True)
        for found, expected in lines:
            assert _numbers(found) == pytest.approx(_numbers(expected), rel=1e-4)
    assert len(list(out.rglob("*_mask.png"))) == 6
    network = torch.jit.load(str(models / "model.ts"))
    with torch.no_grad():
        next(network.parameters()).add_(1e-3)
    network.save(str(models / "model.ts"))
    with fails_with(CalibrationError, "calibration of other weights"):
        infer(tmp_path / "stale", names, ckpt_path=models / "model.ts")


def _numbers(line: str) -> list[float]:
    return [float(cell) for cell in line.split(",") if cell.replace(".", "").replace("e-", "").isdigit()]


@pytest.mark.slow
@pytest.mark.each_kind
def test_monais_own_verb_writes_onnx(smoke_model: SmokeModel, tmp_path: Path) -> None:
    network = build(smoke_model.bundle, "inference smoke", "infer", **smoke_model.paths).network_def.eval()
    if takes_timesteps(network):
        pytest.skip("the verb gives a network the image alone, so that the timestep would be part of the file")
    network.load_state_dict(smoke_model.state)
    image = torch.rand(
        1, 1, *build(smoke_model.bundle, "inference smoke", "infer").parser.get_parsed_content("image_size")
    )
    configs = smoke_model.bundle / "configs"
    onnx_export(
        "network_def",
        filepath=str(tmp_path / "model.onnx"),
        ckpt_file=str(smoke_model.models / "model.pt"),
        meta_file=str(configs / "metadata.json"),
        config_file=[str(configs / "inference.json"), str(configs / "smoke.json")],
        input_shape=list(image.shape),
    )
    torch.testing.assert_close(OnnxNetwork(tmp_path / "model.onnx")(image), network(image), rtol=1e-4, atol=1e-5)


@pytest.mark.one_bundle
def test_networks_without_weights_are_not_exported(smoke_model: SmokeModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without weights"):
        export_bundle(smoke_model.bundle, tmp_path, ["smoke"], without_weights=True, torchscript=True)
