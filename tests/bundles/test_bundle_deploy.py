# SPDX-License-Identifier: Apache-2.0
"""What MONAI Deploy does with a bundle, step by step and without its SDK; `make test-deploy` runs the SDK itself."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bundle_tools import SmokeModel
from medad.configuration import build, read_config
from medad.errors import InputError, unwrap_errors
from medad.predict import AnomalyDetector
from monai.data import MetaTensor
from monai.transforms import MapTransform
from PIL import Image

AFFINE = np.diag([0.5, -0.75, 2.5, 1.0])
VOXEL_RATE = 0.2  # so high that a network trained for an epoch marks something


def _volume(data: Path) -> np.ndarray:
    """Stack the test images of the phantom to ``(x, y, z)``."""
    items = json.loads((data / "datalist.json").read_text())["test"]
    return np.stack([np.asarray(Image.open(data / item["image"])) for item in items], axis=-1)


def _without_files(steps: Any) -> Any:
    """The operator drops every step with one of these words in its name, and asks the first for the kind of chain."""
    steps.transforms = tuple(
        step for step in steps.transforms if not any(word in type(step).__name__ for word in ("LoadImage", "SaveImage"))
    )
    assert isinstance(steps.transforms[0], MapTransform)
    return steps


@pytest.mark.each_kind
@pytest.mark.parametrize("output", ["", "output_heatmap"])
def test_the_operators_way_through_a_bundle(smoke_model: SmokeModel, output: str) -> None:
    overlays = ["smoke", *output.split()]
    settings = {"device": "cpu", "voxel_false_positive_rate": VOXEL_RATE, **smoke_model.paths}
    detector = AnomalyDetector(smoke_model.bundle, overlays, **settings)
    volume = _volume(smoke_model.data)
    result = detector(volume, affine=AFFINE)

    config = read_config(smoke_model.bundle, "inference", overlays, settings)
    network, inferer = detector.network.eval(), build(config, "inferer")
    loader = build(config, "preprocessing").transforms[0]
    preprocessing, postprocessing = (_without_files(build(config, f"{when}processing")) for when in ("pre", "post"))
    meta = {"affine": torch.from_numpy(AFFINE), "spatial_shape": np.asarray(volume.shape), **loader.values_entry}
    inputs = preprocessing({"image": MetaTensor(torch.from_numpy(volume.astype(np.int32)), meta=meta)})
    image = inputs.pop("image")
    with torch.no_grad():
        others = {key: value[None] for key, value in inputs.items()}
        outputs = inferer(inputs=image[None], network=network, **others)
        assert isinstance(outputs, torch.Tensor)
        case = postprocessing({"pred": outputs[0], **inputs, "image": image})
    pred = np.squeeze(case["pred"].cpu().numpy(), 0).astype(np.uint8)
    np.testing.assert_array_equal(pred, result.mask)
    assert float(case["anomaly_score"]) == result.score
    assert (case["p_value"], case["decision"]) == (result.p_value, result.decision)
    assert pred.any() and (len(np.unique(pred)) > 2) == bool(output)


@pytest.mark.each_kind
def test_a_series_that_the_loader_of_the_bundle_did_not_read_is_refused(bundle: Path) -> None:
    """The operator of the SDK for DICOM series knows nothing of windows, lookup tables and padding."""
    preprocessing = _without_files(
        build(read_config(bundle, "inference", ["smoke"], {"device": "cpu"}), "preprocessing")
    )
    image = torch.rand(20, 16, 6)
    meta = {
        "affine": torch.from_numpy(AFFINE),
        "spatial_shape": np.asarray(image.shape),
        "series_instance_uid": "1.2.3",
    }
    with pytest.raises(InputError, match="MONAI Deploy hands over values that nothing is said about"), unwrap_errors():
        preprocessing({"image": MetaTensor(image, meta=meta)})
