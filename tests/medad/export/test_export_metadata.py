# SPDX-License-Identifier: Apache-2.0
from typing import Any

from medad.export.metadata import release_metadata


def _metadata() -> dict[str, Any]:
    def entry() -> dict[str, Any]:
        return {"num_channels": 1, "spatial_shape": ["16*n", "16*n"], "channel_def": {"0": "image"}}

    shapes = {name: {**entry(), "spatial_shape": ["*", "*"]} for name in ("pred", "anomaly_map", "reconstruction")}
    return {
        "required_packages_version": {"medad": "0.1.0", "itk": "5.4.7"},
        "network_data_format": {
            "inputs": {"image": entry()},
            "outputs": {"pred": entry()},
            "post_processed_outputs": shapes,
        },
    }


def test_metadata_describe_the_network_of_the_release() -> None:
    metadata = _metadata()
    released = release_metadata(metadata, (2, 32, 32, 16), 4)
    assert metadata == _metadata()
    assert released["required_packages_version"] == {"itk": "5.4.7"}
    form = released["network_data_format"]
    image, pred = form["inputs"]["image"], form["outputs"]["pred"]
    assert (image["num_channels"], image["spatial_shape"]) == (2, [32, 32, 16])
    assert image["channel_def"] == {"0": "image 0", "1": "image 1"}
    assert (pred["num_channels"], pred["spatial_shape"]) == (4, [32, 32, 16])
    outputs = form["post_processed_outputs"]
    assert all(entry["spatial_shape"] == ["*"] * 3 for entry in outputs.values())
    assert [entry["num_channels"] for entry in outputs.values()] == [1, 1, 2]
    assert "backbone" not in released
    backbone = {"name": "resnet10", "sha256": "0" * 64, "random": True}
    assert release_metadata(metadata, (2, 32, 32, 16), 4, backbone)["backbone"] == backbone
