# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest
from medad.errors import InputError
from medad.export.onnx import export_onnx, require_onnx_can
from medad.inferers import GradientInferer, PerceptualInferer, ReconstructionInferer, StandardizedInferer
from medad.networks import (
    DenoisingUNet,
    NormativeAtlas,
    OnnxNetwork,
    weights_hash,
)
from torch import nn

METADATA = {"version": "0.1.0"}
CONFIG = {"spatial_dims": 2}


def _unet(spatial_dims: int) -> nn.Module:
    return DenoisingUNet(spatial_dims, 1, 1, channels=(8, 8))


def test_onnx_brings_metadata_and_configuration_and_no_file_names(tmp_path: Path) -> None:
    import onnx

    network, path = _unet(2), tmp_path / "model.onnx"
    export_onnx(network, path, (1, 16, 16), METADATA, CONFIG)
    model = onnx.load(str(path))
    onnx.checker.check_model(model)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(properties["metadata.json"]) == METADATA and json.loads(properties["inference.json"]) == CONFIG
    assert properties["weights_sha256"] == weights_hash(network.state_dict())
    axes = [axis.dim_param or axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim]
    assert model.graph.input[0].name == "image" and axes == ["batch", 1, "size_0", "size_1"]
    assert b"denoising_unet.py" not in path.read_bytes()


def test_methods_that_need_more_than_the_result_are_not_exportable_to_onnx() -> None:
    require_onnx_can(ReconstructionInferer(2), nn.Identity())
    for inferer in (GradientInferer(2), PerceptualInferer(2)):
        with pytest.raises(InputError, match="not exportable"):
            require_onnx_can(inferer, nn.Identity())
    with pytest.raises(InputError, match="ONNX lacks operations of NormativeAtlas"):
        require_onnx_can(StandardizedInferer(2), NormativeAtlas(2, 1, (8, 8)))


def test_missing_packages_name_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medad.export.onnx._has_onnxscript", False)
    with pytest.raises(InputError, match=r'pip install "medad\[onnx\]"'):
        export_onnx(_unet(2), tmp_path / "model.onnx", (1, 16, 16), {}, {})
    monkeypatch.setattr("medad.networks.onnx_network.optional_import", lambda name: (None, False))
    with pytest.raises(InputError, match=r'pip install "medad\[onnx\]"'):
        OnnxNetwork(tmp_path / "model.onnx")
