# SPDX-License-Identifier: Apache-2.0
"""What the THOR bundle promises: the training of anoddpm, harmonization, and none of the faults of the published code.

Faults F2, F5, F6, F7 and F8 of that code are tested where the parts are: in the tests of harmonization, of its inferer
and of the perceptual distance; F9 in those of the metrics.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from bundle_tools import ROOT, SmokeModels, build, build_in, fails_with, same_weights, train_in
from medad.errors import CalibrationError, InputError
from medad.networks import SpatialLPIPS
from torch import Tensor, nn

BUNDLE = ROOT / "bundles" / "thor"
ANODDPM = ROOT / "bundles" / "anoddpm"
SHARED_OVERLAYS = ["", "volume_3d", "cpu", "volume_3d cpu", "smoke", "volume_3d smoke", "head_mri"]
SHARED_OVERLAYS += ["variant_gaussian", "variant_gaussian cpu", "variant_ddim", "variant_sample", "variant_sample cpu"]


_workflow = partial(build_in, BUNDLE)
_train = partial(train_in, BUNDLE)


@pytest.fixture(scope="module")
def trained(smoke_models: SmokeModels) -> Path:
    """Folder with the weights of anoddpm, train.json + smoke.json."""
    return smoke_models(ANODDPM).models


class _Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).relu()


@pytest.fixture(scope="module")
def perceptual_paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Random weights of the two kinds of perceptual distance."""
    folder = tmp_path_factory.mktemp("perceptual")
    torch.manual_seed(0)
    torch.save(SpatialLPIPS().state_dict(), folder / "lpips.pt")
    torch.jit.script(_Encoder()).save(folder / "encoder.ts")
    return {"lpips": folder / "lpips.pt", "encoder": folder / "encoder.ts"}


@pytest.mark.parametrize("names", SHARED_OVERLAYS)
def test_network_and_training_are_those_of_anoddpm(names: str) -> None:
    parsers = [build(bundle, f"train {names}").parser for bundle in (ANODDPM, BUNDLE)]
    for key in ("network_def", "noise", "loss", "optimizer", "averaged_network", "preprocessing", "train"):
        assert parsers[0].config[key] == parsers[1].config[key], key
    first, second = (parser.config for parser in parsers)
    at_test_time = {"bundle_root", "start_levels", "mode", "residual", "map_white"}
    plain = {key for key, value in first.items() if not isinstance(value, dict) and key in second} - at_test_time
    assert {key for key in plain if first[key] != second[key]} == set()
    assert len(plain) > 30
    networks = []
    for parser in parsers:
        with torch.device("meta"):
            networks.append(parser.get_parsed_content("network_def"))
    shapes = [{name: value.shape for name, value in network.state_dict().items()} for network in networks]
    assert shapes[0] == shapes[1] and repr(networks[0]) == repr(networks[1])
    processes = [parser.config["scheduler"] | {"variance_type": None} for parser in parsers]
    assert processes[0] == processes[1]  # the variance of a step does not matter in training


def test_a_training_of_anoddpm_is_one_of_thor(phantom_2d: Path, trained: Path, tmp_path: Path) -> None:
    """Train once, use in both: the same weights bit for bit, and the weights of one run in the other."""
    assert same_weights(_train(phantom_2d, tmp_path), torch.load(trained / "model.pt", weights_only=True))
    scores = {}
    for bundle in (BUNDLE, ANODDPM):
        out = tmp_path / bundle.name
        overrides = {"ckpt_path": trained / "model.pt", "output_dir": out, "threshold": 0.1}
        build_in(bundle, phantom_2d, tmp_path, "inference smoke", **overrides).run()
        scores[bundle.name] = (out / "scores.csv").read_bytes()
    assert len(set(scores.values())) == 2


def test_a_calibration_of_anoddpm_is_refused(phantom_2d: Path, trained: Path, tmp_path: Path) -> None:
    overrides = {"ckpt_path": trained / "model.pt", "calibration_path": tmp_path / "calibration.json"}
    workflow = build_in(ANODDPM, phantom_2d, tmp_path, **overrides)
    workflow.parser.get_parsed_content("calibrate#calibrator").run()
    with fails_with(CalibrationError, "calibration of another score"):
        _workflow(phantom_2d, tmp_path, "inference smoke", **overrides).run()


def test_the_target_is_the_noise_and_the_prediction_stays_as_it_is(phantom_2d: Path, tmp_path: Path) -> None:
    """Fault F1: the prediction is rescaled to (prediction + 1) / 2 and then compared with the noise."""
    parser = _workflow(phantom_2d, tmp_path, max_epochs=1).parser
    trainer, noise = parser.get_parsed_content("train#trainer"), parser.get_parsed_content("noise")
    drawn: list[Tensor] = []
    given: list[Tensor] = []
    compared: list[tuple[Tensor, Tensor]] = []

    class Recorder:
        spatial_dims = noise.spatial_dims

        def __call__(self, images: Tensor, seeds: Tensor) -> Tensor:
            drawn.append(noise(images, seeds))
            return drawn[-1]

    def loss(prediction: Tensor, target: Tensor) -> Tensor:
        compared.append((prediction.detach(), target))
        return nn.functional.mse_loss(prediction, target)

    trainer.prepare_batch.noise, trainer.loss_function = Recorder(), loss
    parser.get_parsed_content("network_def").register_forward_hook(lambda *call: given.append(call[2].detach()))
    trainer.run()
    assert len(drawn) == len(compared) == 4  # eight images, two at a time
    for field, (prediction, target), output in zip(drawn, compared, given, strict=False):
        assert torch.equal(target, field) and torch.equal(prediction, output)


def test_a_network_trained_on_one_image_gives_it_back(phantom_2d: Path, tmp_path: Path) -> None:
    """Fault F1: trained as published, reconstructions drift to white. Nothing is harmonized here."""
    settings = {"image_size": [8, 8], "channels": [16, 16, 16], "attention_levels": [False] * 3, "learning_rate": 0.01}
    at_test_time = {"start_levels": [6], "harmonization_levels": []}
    parser = _workflow(phantom_2d, tmp_path, "train variant_gaussian smoke", **settings, **at_test_time).parser
    keys = ("network_def", "optimizer", "loss", "train#inferer", "train#trainer", "inferer")
    network, optimizer, loss, diffuse, trainer, inferer = (parser.get_parsed_content(key) for key in keys)
    row = parser.get_parsed_content("validate#datalist")[0]
    image = parser.get_parsed_content("preprocessing")(dict(row))["image"].as_tensor()[None]

    def error() -> tuple[float, float]:
        with torch.no_grad():
            difference = inferer(image, network)[:, 1:] - image
        return float(difference.abs().mean()), float(difference.mean())

    before, _ = error()
    for _ in range(100):
        images, noise, _, arguments = trainer.prepare_batch({"image": image.expand(4, -1, -1, -1)})
        optimizer.zero_grad()
        loss(diffuse(images, network, **arguments), noise).backward()
        optimizer.step()
    after, drift = error()
    assert after < 0.4 * before and abs(drift) < 0.05


def test_one_range_for_training_and_inference(phantom_2d: Path, tmp_path: Path) -> None:
    """Fault F4: a trainer that leaves images in [0, 1] beside an inference in [-1, 1]."""
    parser = _workflow(phantom_2d, tmp_path, value_range=[0.0, 1.5]).parser
    images = 1.5 * torch.rand(2, 1, 32, 32)
    seen, *_ = parser.get_parsed_content("train#trainer").prepare_batch({"image": images})
    torch.testing.assert_close(seen, images / 0.75 - 1)
    inferer = parser.get_parsed_content("inferer")
    inferer.noise = lambda images, seeds: torch.zeros_like(images)
    asked: list[Tensor] = []

    def network(x: Tensor, timesteps: Tensor) -> Tensor:
        asked.append(x)
        return torch.zeros_like(x)

    out = inferer(images, network)
    share = inferer.schedule.alpha_bar(8, images).sqrt()
    torch.testing.assert_close(asked[0], (share * seen).float())
    torch.testing.assert_close(out[:, 1:], images, rtol=0, atol=1e-5)  # without noise there is nothing to take away


def test_a_subject_of_training_and_test_is_refused(phantom_2d: Path, tmp_path: Path) -> None:
    """Fault F3: 218 slices of the training are in the test list, too."""
    lists = json.loads((phantom_2d / "datalist.json").read_text())
    for rows in (lists[split] for split in ("training", "calibration", "test")):
        for row in rows:
            row["image"] = str(phantom_2d / row["image"])
            if "mask" in row:
                row["mask"] = str(phantom_2d / row["mask"])
    lists["test"][0]["subject_id"] = lists["training"][0]["subject_id"] = "patient 7"
    (tmp_path / "datalist.json").write_text(json.dumps(lists))
    with fails_with(InputError, "patient 7"):
        _workflow(tmp_path, tmp_path).parser.get_parsed_content("train#datalist")


def test_every_case_of_the_list_is_evaluated(phantom_2d: Path, trained: Path, tmp_path: Path) -> None:
    """Fault F10: evaluators visit hand-picked images only."""
    listed = json.loads((phantom_2d / "datalist.json").read_text())["test"]
    overrides = {"ckpt_path": trained / "model.pt", "threshold": 0.05}
    _workflow(phantom_2d, tmp_path, "train evaluate smoke", **overrides).run()
    rows = (tmp_path / "log" / "scores.csv").read_text().splitlines()[1:]
    assert len(rows) == len(listed) == 6
    assert json.loads((tmp_path / "log" / "metrics.json").read_text())["n"]["images"] == len(listed)


@pytest.mark.parametrize("kind", ["lpips", "encoder"])
def test_a_perceptual_distance_from_a_file(
    kind: str, phantom_2d: Path, trained: Path, perceptual_paths: dict[str, Path], tmp_path: Path
) -> None:
    """Fault F11: LPIPS is fetched at import and sits in the state dict, so that loading has to be lax.

    Here a file of one's own is read, and the calibration alone knows it. That nothing is fetched anywhere is tested for
    all bundles together.
    """
    paths = {"ckpt_path": trained / "model.pt", "calibration_path": tmp_path / "calibration.json"}
    parser = _workflow(phantom_2d, tmp_path, perceptual_path=perceptual_paths[kind], **paths).parser
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(trained / "model.pt", weights_only=True), strict=True)
    images = torch.rand(3, 1, 32, 32)
    with torch.no_grad():
        weighted = parser.get_parsed_content("inferer")(images, network)
        plain = _workflow(phantom_2d, tmp_path, **paths).parser.get_parsed_content("inferer")(images, network)
        alone = parser.get_parsed_content("inferer")(images[1:2], network)
    assert not torch.allclose(weighted[:, :1], plain[:, :1]) and float(weighted[:, 0].max()) > 0
    torch.testing.assert_close(alone, weighted[1:2], rtol=0, atol=1e-5)
    parser.get_parsed_content("calibrate#calibrator").run()
    with fails_with(CalibrationError, "calibration of another score"):
        _workflow(phantom_2d, tmp_path, "inference smoke", **paths).run()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("start_levels", [7]),
        ("harmonization_levels", [5]),
        ("harmonization_levels", []),
        ("map_interval", 1),
        ("mask_kernel_size", 1),
        ("mode", "ddim"),
        ("repeats", 2),
        ("noise_seed", 1),
        ("value_range", [0.0, 1.5]),
    ],
)
def test_every_option_of_the_inference_has_an_effect(phantom_2d: Path, tmp_path: Path, key: str, value: Any) -> None:
    parser = _workflow(phantom_2d, tmp_path, "inference smoke").parser
    changed = _workflow(phantom_2d, tmp_path, "inference smoke", **{key: value}).parser
    network = parser.get_parsed_content("network_def").eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    images = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        maps = [each.get_parsed_content("inferer")(images, network) for each in (parser, changed)]
    assert not torch.equal(*maps)
    settings = [each.get_parsed_content("calibration").settings for each in (parser, changed)]
    assert settings[0] != settings[1]  # a calibration of one is refused by the other


@pytest.mark.parametrize(
    ("names", "calls", "harmonized"),
    [
        ("inference", 250, (200, 150, 100, 50)),
        ("inference variant_ddim", 25, (200, 150, 100, 50)),
        ("inference variant_gaussian", 350, (300, 150, 50)),
        ("inference variant_gaussian variant_ddim", 31, (300, 150, 50)),
    ],
)
def test_levels_and_number_of_calls_are_those_of_the_card(names: str, calls: int, harmonized: tuple[int, ...]) -> None:
    inferer = build(BUNDLE, f"{names} cpu", "infer").parser.get_parsed_content("inferer")
    asked: list[Tensor] = []

    def network(x: Tensor, timesteps: Tensor) -> Tensor:
        asked.append(timesteps)
        return torch.zeros_like(x)

    inferer(torch.rand(1, 1, 8, 8), network)
    assert len(asked) == calls and inferer.harmonization_levels == harmonized
    assert f"{calls} calls" in (BUNDLE / "docs" / "README.md").read_text("utf-8")


def test_the_card_counts_what_is_there() -> None:
    card = (BUNDLE / "docs" / "README.md").read_text("utf-8")
    for names in ("train", "train volume_3d", "train cpu", "train volume_3d cpu", "train variant_authors_unet"):
        with torch.device("meta"):
            network = build(BUNDLE, names).network_def
        parameters = sum(p.numel() for p in network.parameters())
        assert f"{parameters / 1e6:.2f} million" in card, names
    assert parameters == pytest.approx(18.50e6, rel=5e-4)  # that of the authors


@pytest.mark.parametrize("name", ["anoddpm", "thor"])
@pytest.mark.parametrize("names", ["train", "inference", "inference output_heatmap", "inference output_bins"])
@pytest.mark.parametrize("levels", [[7, 8], (7, 8), "7, 8", "7,8", 7], ids=repr)
def test_levels_may_be_written_in_every_way(name: str, names: str, levels: Any, tmp_path: Path) -> None:
    """A command line makes a tuple of ``--start_levels 7,8``, and a client of a labeling server sends text."""
    keys = ["start_levels"] + (["harmonization_levels"] if name == "thor" else [])
    workflow = build_in(ROOT / "bundles" / name, tmp_path, tmp_path, f"{names} smoke", **dict.fromkeys(keys, levels))
    inferer = workflow.parser.get_parsed_content("inferer")
    for key in keys:
        assert sorted(getattr(inferer, key)) == ([7] if levels == 7 else [7, 8])
