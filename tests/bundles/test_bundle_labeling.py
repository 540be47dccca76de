# SPDX-License-Identifier: Apache-2.0
"""What MONAI Label does with a bundle, without its server: a client's parameters, and training from its masks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bundle_tools import SmokeModel, fails_with
from medad.calibration import load_calibration
from medad.errors import CalibrationError
from medad.networks import weights_hash
from monai.bundle import ConfigParser, run
from PIL import Image

# what a text field of a client holds; rates and threshold change results under the calibration
CHANGES: dict[str, Any] = {
    "voxel_false_positive_rate": 0.2,
    "min_lesion_size": 100000,
    "image_false_positive_rate": 0.99,
    "guarantee": "any_image_of_subject",
    "threshold": "0.0001",
    "start_levels": "2, 5",
    "harmonization_levels": "4",
    "repeats": 3,
    "noise_seed": 7,
    "level": 5,
    "steps": 4,
    "guidance_scale": 7.0,
}


class _Client:
    """Requests as MONAI Label answers them: entries of ``displayable_configs`` replaced, all parts built again."""

    def __init__(self, model: SmokeModel, folder: Path) -> None:
        self.parser = ConfigParser()
        self.parser.read_config([str(model.bundle / "configs" / f"{name}.json") for name in ("inference", "smoke")])
        self.parser.config.update({"bundle_root": str(model.bundle), **model.paths})
        self.shown = self.parser.get_parsed_content("displayable_configs")
        self.network = self.parser.get_parsed_content("network_def").eval()
        self.network.load_state_dict(model.state)
        items = json.loads((model.data / "datalist.json").read_text())["test"]
        self.path = str(model.data / items[0]["image"])

    def __call__(self, **changes: Any) -> tuple[dict[str, Any], np.ndarray]:
        """Result and mask of one image."""
        self.parser["displayable_configs"].update({**self.shown, **changes})
        self.parser.parse()
        case = self.parser.get_parsed_content("preprocessing")({"image": self.path, "image_path": self.path, **changes})
        with torch.no_grad():
            case["pred"] = self.parser.get_parsed_content("inferer")(case["image"][None], self.network)[0]
        case = self.parser.get_parsed_content("postprocessing")(case)
        return case["result"], case["pred"].numpy()


def test_what_a_client_changes_changes_the_result(smoke_model: SmokeModel, tmp_path: Path) -> None:
    ask = _Client(smoke_model, tmp_path)
    assert set(ask.shown) <= set(CHANGES)
    result, mask = ask()
    assert set(result) == {"anomaly_score", "p_value", "decision", "note"} and json.dumps(result)
    marking = {"threshold": 1e-4}
    for name in ask.shown:
        if name in ("voxel_false_positive_rate", "image_false_positive_rate", "guarantee", "threshold"):
            before, change = (result, mask), {name: CHANGES[name]}
        else:  # with a threshold, since the calibration belongs to the parameters as they are
            before, change = ask(**marking), {**marking, name: CHANGES[name]}
        after = ask(**change)
        assert before[0] != after[0] or not np.array_equal(before[1], after[1]), name
    again = ask()
    assert again[0] == result and np.array_equal(again[1], mask)
    scored = {"start_levels", "harmonization_levels", "repeats", "noise_seed", "level", "steps", "guidance_scale"}
    for name in scored & set(ask.shown):
        with fails_with(CalibrationError, "calibration of another score"):
            ask(**{name: CHANGES[name]})


def test_training_from_masks_ends_with_the_calibration(bundle: Path, smoke_model: SmokeModel, tmp_path: Path) -> None:
    """The overrides of MONAI Label; healthy cases have empty masks, another case has something marked."""
    listed = []
    for number, path in enumerate(sorted((smoke_model.data / "images").glob("training*"))[:5]):
        mask = Image.new("L", Image.open(path).size)
        if number == 4:
            mask.putpixel((3, 3), 255)
        mask.save(tmp_path / f"{number}.png")
        listed.append({"image": str(path), "label": str(tmp_path / f"{number}.png")})
    files = [str(bundle / "configs" / f"{name}.json") for name in ("train", "smoke")]
    handlers = ConfigParser.load_config_files(files)["train"]["handlers"]
    loader = {
        "_target_": "CheckpointLoader",
        "load_path": str(smoke_model.models / "model.pt"),
        "load_dict": {"model": "$@network"},
        "strict": False,
    }
    run(
        run_id="run",
        init_id=None,
        final_id=None,
        meta_file=str(bundle / "configs" / "metadata.json"),
        config_file=files,
        ckpt_dir=str(tmp_path / "models"),
        output_dir=str(tmp_path / "out"),
        **{
            "bundle_root": str(bundle),
            "train#trainer#max_epochs": 1,
            "train#dataset#data": [listed[number] for number in (0, 1, 4)],
            "validate#dataset#data": listed[2:4],
            "device": "cpu",
            "train#handlers": [loader, *handlers],
        },
    )
    calibration = load_calibration(tmp_path / "models" / "calibration.json")
    assert calibration.images == 2 and calibration.weights_sha256 == weights_hash(tmp_path / "models" / "model.pt")
