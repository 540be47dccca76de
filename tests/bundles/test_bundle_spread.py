# SPDX-License-Identifier: Apache-2.0
"""The normative spread: filled by a training, or later, and needed from then on."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from bundle_tools import BUNDLES, ROOT, State, build, build_in, fails_with, train_smoke_model
from medad.calibration import load_calibration
from medad.errors import CalibrationError, InputError
from medad.export import export_bundle
from medad.export.__main__ import summary
from medad.predict import AnomalyDetector
from ranks import on_ranks

ONE = ROOT / "bundles" / "denoising_autoencoder"
WITH_SPREAD = [
    pytest.param(bundle, marks=[] if bundle == ONE else pytest.mark.slow, id=bundle.name)
    for bundle in BUNDLES
    if (bundle / "configs" / "normative_spread.json").is_file()
]
PREFIX = "normative_spread."


def _state(folder: Path) -> State:
    state: State = torch.load(folder / "model.pt", weights_only=True)
    return state


def _detector(bundle: Path, folder: Path, *overlays: str, **paths: Any) -> AnomalyDetector:
    files = {"ckpt_path": str(folder / "model.pt"), "calibration_path": str(folder / "calibration.json"), **paths}
    return AnomalyDetector(bundle, [*overlays, "smoke"], device="cpu", **files)


@pytest.mark.parametrize("method", WITH_SPREAD)
def test_a_training_fills_it_and_maps_are_divided(method: Path, phantom_2d: Path, tmp_path: Path) -> None:
    folder, plain = tmp_path / "models", tmp_path / "plain"
    train_smoke_model(method, phantom_2d, folder, tmp_path / "log", "train normative_spread smoke")
    state = _state(folder)
    assert len(state[f"{PREFIX}bank"]) == 8 and state[f"{PREFIX}bank"].dtype == torch.float16
    assert float(state[f"{PREFIX}means"].min()) > 0
    plain.mkdir()
    torch.save({name: value for name, value in state.items() if not name.startswith(PREFIX)}, plain / "model.pt")

    image = phantom_2d / json.loads((phantom_2d / "datalist.json").read_text())["test"][0]["image"]
    divided, own = _detector(method, folder, "normative_spread"), _detector(method, plain)
    first, second = (detector(image).anomaly_map for detector in (divided, own))
    inside = second > 0
    assert float(abs(first[inside] / second[inside] - first[inside].mean() / second[inside].mean()).max()) > 0.01
    with pytest.raises(CalibrationError):  # made with the spread, and for other weights
        _ = _detector(method, plain, calibration_path=str(folder / "calibration.json"))(image).decision
    assert divided(image).decision in (True, False)


@pytest.mark.parametrize("names", ["", "volume_3d "])
def test_weights_trained_without_it_get_it_later(
    phantom_2d: Path, phantom_3d: Path, tmp_path: Path, names: str
) -> None:
    """Pictures and a 2D network, volumes and a 3D one."""
    data = phantom_3d if names else phantom_2d
    folder = tmp_path / "models"
    train_smoke_model(ONE, data, folder, tmp_path / "log", f"train {names}smoke")
    before = _state(folder)
    settings = load_calibration(folder / "calibration.json").settings
    with fails_with(InputError, "no residuals of normal images in these weights"):
        build_in(ONE, data, folder, f"train evaluate {names}normative_spread smoke", output_dir=tmp_path / "none").run()

    build_in(ONE, data, folder, f"train calibrate_spread {names}normative_spread smoke").run()
    after = _state(folder)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert len(after[f"{PREFIX}bank"]) > 1 and len(after) == len(before) + 4
    assert load_calibration(folder / "calibration.json").settings != settings
    build_in(ONE, data, folder, f"train evaluate {names}normative_spread smoke", output_dir=tmp_path / "out").run()
    with fails_with(InputError, "Unexpected key"):
        build_in(ONE, data, folder, f"train evaluate {names}smoke", output_dir=tmp_path / "without").run()


def test_slices_of_volumes_fill_a_2d_network(phantom_3d: Path, tmp_path: Path) -> None:
    train_smoke_model(ONE, phantom_3d, tmp_path, tmp_path / "log", "train normative_spread head_mri smoke")
    bank = _state(tmp_path)[f"{PREFIX}bank"]
    assert len(bank) > 30 and bank.shape[1:] == (1, 32, 32)


def test_a_release_holds_what_images_left_over_and_exports_nothing_less(phantom_2d: Path, tmp_path: Path) -> None:
    models, overlays = tmp_path / "models", ["normative_spread", "smoke"]
    train_smoke_model(ONE, phantom_2d, models, tmp_path / "log", "train normative_spread smoke")
    release = export_bundle(ONE, tmp_path / "dist", overlays, models / "model.pt", include_bank=True)
    assert release.calibrated and "The weights hold the training images" in summary(release, without_weights=False)
    for form in ("torchscript", "onnx"):
        with pytest.raises(InputError, match="the normative spread is no part of what the network computes"):
            export_bundle(ONE, tmp_path / form, overlays, models / "model.pt", include_bank=True, **{form: True})


def test_maps_of_five_subjects_together_leave_without_asking(phantom_2d: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    train_smoke_model(ONE, phantom_2d, models, tmp_path / "log", "train normative_spread shared_bank smoke")
    assert len(_state(models)[f"{PREFIX}bank"]) == 1
    release = export_bundle(ONE, tmp_path / "dist", ["normative_spread", "shared_bank", "smoke"], models / "model.pt")
    assert release.calibrated and not release.holds_images


@pytest.mark.slow
@pytest.mark.parametrize("names", ["", "shared_bank "])
def test_two_ranks_fill_what_one_does(phantom_2d: Path, tmp_path: Path, names: str) -> None:
    def work() -> None:
        workflow = build(ONE, f"train normative_spread {names}smoke multi_gpu_train", **options)
        workflow.run()
        workflow.finalize()

    options = {"dataset_dir": phantom_2d, "ckpt_dir": tmp_path, "output_dir": tmp_path / "log"}
    done = on_ranks(work, tmp_path / "ranks.log")
    assert not done.failed, done.said
    joined = _state(tmp_path)
    build_in(ONE, phantom_2d, tmp_path, f"train calibrate_spread normative_spread {names}smoke").run()
    alone = _state(tmp_path)
    for name in ("bank", "features", "means"):
        one, two = (state[PREFIX + name].float().flatten(1).sum(dim=1) if name != "means" else state[PREFIX + name]
                    for state in (alone, joined))  # fmt: skip
        torch.testing.assert_close(one.sort().values, two.sort().values, atol=1e-2, rtol=1e-3)
