# SPDX-License-Identifier: Apache-2.0
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import medad
import pytest
import torch
from medad.export.onnx import export_onnx
from medad.export.parity import example_inputs, largest_difference
from medad.export.torchscript import export_torchscript
from medad.networks import (
    Autoencoder,
    ClassConditionalUNet,
    DenoisingUNet,
    DiffusionClassifier,
    DiffusionUNet,
    DTUNet,
    GuidedDiffusion,
    OnnxNetwork,
    read_weights,
    weights_hash,
)
from torch import nn

METADATA = {"version": "0.1.0"}
CONFIG = {"spatial_dims": 2}


def _autoencoder(spatial_dims: int) -> nn.Module:
    return Autoencoder(spatial_dims, 1, 1, (16,) * spatial_dims, channels=(4, 4), latent_size=3, hidden_size=8)


def _unet(spatial_dims: int) -> nn.Module:
    return DenoisingUNet(spatial_dims, 1, 1, channels=(8, 8))


def _diffusion(spatial_dims: int) -> nn.Module:
    network = DiffusionUNet(
        spatial_dims, 1, 1, channels=(8, 8), attention_levels=(False, True), num_res_blocks=1, norm_groups=4
    )
    for parameter in network.parameters():  # the last layers begin as zeros, and would hide the timestep
        nn.init.normal_(parameter, std=0.1)
    return network


def _transformer(spatial_dims: int) -> nn.Module:
    network = DTUNet(
        spatial_dims, 1, 1, (16,) * spatial_dims, patch_size=4, hidden_size=24, depth=2, time_channels=8, norm_groups=4
    )
    for parameter in network.parameters():  # small ones would hide the timestep
        nn.init.normal_(parameter, std=0.3)
    return network


def _class_conditional(spatial_dims: int) -> nn.Module:
    return ClassConditionalUNet(spatial_dims, 1, 1, (8, 8), (False, True), 1, norm_groups=4)


def _guided(spatial_dims: int) -> nn.Module:
    classifier = DiffusionClassifier(
        spatial_dims, 1, channels=(8, 8), attention_levels=(False, True), num_res_blocks=1, norm_groups=4
    )
    return GuidedDiffusion(_diffusion(spatial_dims), classifier)


_TIMED = (_diffusion, _transformer)
FORMS = {"ts": export_torchscript, "onnx": export_onnx}
CASES = [
    pytest.param(
        make,
        dims,
        form,
        id=f"{make.__name__[1:]}_{dims}d_{form}",
        marks=[pytest.mark.slow] if form == "onnx" and (dims == 3 or make in _TIMED) else [],
    )
    for make in (_autoencoder, _unet, *_TIMED)
    for dims in (2, 3)
    for form in FORMS
]


def _load(path: Path) -> Any:
    return OnnxNetwork(path) if path.suffix == ".onnx" else torch.jit.load(str(path))


@pytest.mark.parametrize(("make", "spatial_dims", "form"), CASES)
def test_exported_networks_agree(
    make: Callable[[int], nn.Module], spatial_dims: int, form: str, tmp_path: Path
) -> None:
    network = make(spatial_dims)
    before = weights_hash(network.state_dict())
    path = tmp_path / f"model.{form}"
    FORMS[form](network, path, (1, *[16] * spatial_dims), METADATA, CONFIG)
    assert weights_hash(network.state_dict()) == before
    exported = _load(path)
    sizes = [(16,) * spatial_dims]
    if make is not _autoencoder:
        sizes.append((*[16] * (spatial_dims - 1), 24))
    for batch in (1, 4):
        for size in sizes:
            inputs = example_inputs(network, (batch, 1, *size), seed=batch)
            assert largest_difference(network, exported, inputs) < 1e-4
    if make in _TIMED:
        image = torch.rand(2, 1, *sizes[0])
        results = [exported(image, torch.tensor(steps)) for steps in ([0, 0], [500, 500], [0, 500])]
        assert float((results[0] - results[1]).abs().max()) > 1e-3
        torch.testing.assert_close(results[2], torch.cat([results[0][:1], results[1][1:]]), rtol=1e-4, atol=1e-5)


def test_torchscript_brings_metadata_and_configuration_and_the_same_weights(tmp_path: Path) -> None:
    for network in (_autoencoder(2), _diffusion(2)):
        path = tmp_path / "model.ts"
        export_torchscript(network, path, (1, 16, 16), METADATA, CONFIG)
        files = {"metadata.json": "", "inference.json": ""}
        torch.jit.load(str(path), _extra_files=files)
        assert json.loads(files["metadata.json"]) == METADATA and json.loads(files["inference.json"]) == CONFIG
        assert weights_hash(path) == weights_hash(network.state_dict())
        network.load_state_dict(read_weights(path), strict=True)


SCRIPTED = """
import sys
from pathlib import Path

import torch
from medad.export.torchscript import export_torchscript
from medad.networks import Autoencoder

torch.manual_seed(0)
network = Autoencoder(2, 1, 1, (16, 16), channels=(4, 4), latent_size=3, hidden_size=8)
export_torchscript(network, Path(sys.argv[1]), (1, 16, 16), {}, {})
"""


@pytest.mark.slow
def test_torchscript_is_the_same_in_every_process_and_names_no_source_file(tmp_path: Path) -> None:
    for seed in ("1", "2"):  # decides on the order of sets
        (tmp_path / seed).mkdir()
        command = [sys.executable, "-c", SCRIPTED, str(tmp_path / seed / "model.ts")]
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, check=True, timeout=120)
    first, second = (tmp_path / seed / "model.ts" for seed in ("1", "2"))
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        contents = b"".join(map(archive.read, archive.namelist()))
    assert b"class Autoencoder" in contents
    assert not [path for path in (medad.__file__, torch.__file__) if str(Path(path).parent).encode() in contents]


@pytest.mark.parametrize("make", [_diffusion, _transformer, _class_conditional, _guided])
def test_torchscript_makes_no_tensor_on_the_device_of_its_export(
    make: Callable[[int], nn.Module], tmp_path: Path
) -> None:
    """Such a network would fail on any other device."""
    path = tmp_path / "model.ts"
    export_torchscript(make(2), path, (1, 16, 16), METADATA, CONFIG)
    with zipfile.ZipFile(path) as exported:
        code = [exported.read(name).decode() for name in exported.namelist() if name.endswith(".py")]
    assert code and not any("torch.device(" in text for text in code)
