# SPDX-License-Identifier: Apache-2.0
"""What the DTU-Net bundle promises where the published code went wrong: noise, level, losses, masks, sizes.

Faults F2 to F4 of that code are tested where the parts are, in the tests of the network.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bundle_tools import ROOT, SmokeModels, State, build, build_in, same_weights, train_in
from medad.losses import StructuralDissimilarity
from medad.metrics import AnomalyMetrics
from PIL import Image
from torch import nn

BUNDLE = ROOT / "bundles" / "dtunet"
ANODDPM = ROOT / "bundles" / "anoddpm"

_workflow = partial(build_in, BUNDLE)
_train = partial(train_in, BUNDLE)


@pytest.fixture(scope="module")
def base(smoke_models: SmokeModels) -> State:
    """Weights of train.json + smoke.json."""
    return smoke_models(BUNDLE).state


@pytest.mark.parametrize("form", ["", "volume_3d "])
def test_one_noise_for_training_validation_and_inference(form: str, phantom_2d: Path, tmp_path: Path) -> None:
    """Fault F1: trained with 6 octaves from 64 pixels, tested with 10 from 128, because arguments are not passed on."""
    parser = _workflow(phantom_2d, tmp_path, f"train {form}").parser
    noise = parser.get_parsed_content("noise")
    users = [parser.get_parsed_content(key) for key in ("prepare_batch", "inferer", "validate#inferer")]
    assert parser.config["train"]["trainer"]["prepare_batch"] == "@prepare_batch"
    assert all(user.noise is noise for user in users)
    assert (noise.octaves, noise.persistence, noise.frequency, noise.dims) == (6, 0.9, 64.0, 4)
    assert noise.frequency / 2 ** (noise.octaves - 1) >= 2.0  # no wave is shorter than two pixels
    chosen = {"noise_octaves": 3, "noise_persistence": 0.5, "noise_frequency": 16.0}
    names = [f"train {form}", f"train evaluate {form}", f"inference {form}"]
    texts = {
        repr(_workflow(phantom_2d, tmp_path, each, **chosen).parser.get_parsed_content("inferer")) for each in names
    }
    assert len(texts) == 1 and "octaves=3, persistence=0.5, frequency=16.0" in texts.pop()


@pytest.mark.parametrize(("channels", "related"), [("independent", False), ("correlated", True)])
def test_every_image_has_its_own_noise_and_modalities_have_by_default(
    channels: str, related: bool, phantom_2d: Path, tmp_path: Path
) -> None:
    """Fault F9: one seed for a batch, and channels of one field, so that modalities are hidden alike."""
    content = _workflow(phantom_2d, tmp_path, "train", in_channels=3, noise_channels=channels).parser.get_parsed_content
    torch.manual_seed(0)
    _, target, *_ = content("prepare_batch")({"image": torch.rand(24, 3, 128, 128)})
    samples = torch.corrcoef(target[:, 0, ::8, ::8].flatten(1)).fill_diagonal_(0)
    assert float(samples.mean().abs()) < 0.05 and float(samples.abs().max()) < 0.9
    between = torch.corrcoef(target.transpose(0, 1).flatten(1))[0, 1:]
    assert (between > 0.75).all() if related else (between.abs() < 0.1).all()


def test_the_level_is_fixed_and_the_process_that_of_the_paper(phantom_2d: Path, tmp_path: Path) -> None:
    """Fault F5: each image gets a level between 100 and 149 by chance, so that a result cannot be repeated."""
    parser = _workflow(phantom_2d, tmp_path, "train").parser
    inferer, scheduler = parser.get_parsed_content("inferer"), parser.get_parsed_content("scheduler")
    assert inferer.start_levels == (125,) and inferer.mode == "ancestral"
    assert scheduler.num_train_timesteps == 1000 and float(scheduler.betas.max()) == pytest.approx(0.999)
    _, _, _, named = parser.get_parsed_content("prepare_batch")({"image": torch.zeros(4000, 1, 1, 1)})
    assert named["timesteps"].max() < 800 and named["timesteps"].max() > 780
    small = _workflow(phantom_2d, tmp_path, "inference smoke").parser
    network, images = small.get_parsed_content("network_def").eval(), torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        maps = [small.get_parsed_content("inferer")(images, network) for _ in range(2)]
    assert torch.equal(*maps)


def test_the_core_is_that_of_anoddpm() -> None:
    first, second = (build(bundle, "train").parser.config for bundle in (ANODDPM, BUNDLE))
    for key in (
        "preprocessing",
        "map_postprocessing",
        "mask_postprocessing",
        "inferer",
        "calibration",
        "averaged_network",
    ):
        assert first[key] == second[key], key
    assert first["averaged_network"] == second["averaged_network"]
    assert (first["residual"], second["residual"]) == ("l2", "l1")
    assert {**first["scheduler"], "schedule": "cosine"} == second["scheduler"]
    for key in ("calibrate", "validate"):
        assert first[key] == second[key]
    assert first["train"]["handlers"] == second["train"]["handlers"]


def test_scores_do_not_depend_on_the_mask_or_the_scale_of_the_map() -> None:
    """Fault F6: the area under the curve is computed on the mask. Here it ranks the values of the map."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(1, 24, 24, dtype=torch.uint8)
    mask[:, 4:10, 4:10] = 1
    values = torch.rand(1, 24, 24, generator=generator) + 0.5 * mask

    def auroc(x: torch.Tensor) -> float:
        metrics = AnomalyMetrics()
        metrics.update(x, mask, (x > 0.8).to(torch.uint8), subject_id="s", case="c")
        return float(metrics.compute(bootstrap=10)["pixel_auroc"]["value"])

    found = [auroc(x) for x in (values, 3 * values, values.square(), (values > 0.8).float())]
    assert found[1] == pytest.approx(found[0], abs=1e-3) and found[2] == pytest.approx(found[0], abs=1e-3)
    assert abs(found[3] - found[0]) > 0.02


def test_it_needs_neither_timm_nor_cuda_nor_compiled_caches() -> None:
    """Fault F8: internals of an old timm, a device in the code, and caches among the files."""
    assert not [path for path in (ROOT / "common").rglob("*.py") if "import timm" in path.read_text("utf-8")]
    assert not [path for path in BUNDLE.rglob("*") if path.suffix in (".pyc", ".nbi", ".nbc")]
    assert "cuda:0" not in "".join(path.read_text("utf-8") for path in (BUNDLE / "configs").glob("*.json"))


def test_each_loss_is_the_one_it_is_called(phantom_2d: Path, tmp_path: Path) -> None:
    prediction, noise = torch.randn(2, 4, 1, 32, 32).unbind(0)
    error = prediction - noise
    expected = {
        "": error.square().mean(),
        "variant_l1": error.abs().mean(),
        "variant_ssim": StructuralDissimilarity(data_range=2.0)(prediction, noise),
    }
    for names, value in expected.items():
        loss = _workflow(phantom_2d, tmp_path, f"train {names}").parser.get_parsed_content("loss")
        torch.testing.assert_close(loss(prediction, noise), value)
    content = _workflow(phantom_2d, tmp_path, "train variant_hybrid").parser.get_parsed_content
    torch.manual_seed(3)
    _, (target, factors), _, named = content("prepare_batch")({"image": torch.rand(4, 1, 32, 32)})
    betas = content("scheduler").betas.double()
    shares = torch.cumprod(1 - betas, 0)
    value = (prediction - target).square().mean()
    for number, t in enumerate(named["timesteps"]):
        factor = 1000 * betas[t] / (2 * (1 - betas[t]) * (1 - shares[t]))  # "fixed_large"
        assert float(factors[number]) == pytest.approx(float(factor), rel=1e-4)
        value = value + 0.001 * factor * (prediction[number] - target[number]).square().mean() / 4
    torch.testing.assert_close(content("loss")(prediction, (target, factors)).double(), value.double())


def test_losses_train_differently(phantom_2d: Path, base: State, tmp_path: Path) -> None:
    names = ["variant_l1", "variant_hybrid", "variant_ssim"]
    found = [base, *(_train(phantom_2d, tmp_path / name, f"train {name} smoke") for name in names)]
    assert not any(same_weights(one, other) for number, one in enumerate(found) for other in found[:number])


def test_otsu_masks_need_no_calibrated_threshold(phantom_2d: Path, tmp_path: Path) -> None:
    """The option of the paper: each map is split by itself, so that a normal image has a mask, too."""
    content = partial(_workflow, phantom_2d, tmp_path, threshold=0.5, min_lesion_size=0)
    masks = {}
    for names in ("inference smoke", "inference variant_otsu smoke"):
        transform = content(names).parser.get_parsed_content("mask_postprocessing")
        values = torch.rand(1, 24, 24, generator=torch.Generator().manual_seed(0)) * 0.1
        values[:, 4:8, 4:8] += 0.2
        case: dict[str, Any] = {"anomaly_map": values, "anomaly_score": 0.1, "foreground": torch.ones(1, 24, 24)}
        for step in transform:
            case = step(case)
        masks[names] = case["pred"]
    assert not masks["inference smoke"].any()
    assert masks["inference variant_otsu smoke"].bool().equal(values > 0.15)


def test_color_images_with_correlated_noise_from_training_to_metrics(tmp_path: Path) -> None:
    """Fault F7, too: where nothing is to be found and nothing is, no Dice of 1 is counted."""
    generator = np.random.default_rng(0)
    rows: dict[str, list[dict[str, Any]]] = {"training": [], "calibration": [], "test": []}
    for split, count in (("training", 4), ("calibration", 3), ("test", 4)):
        for number in range(count):
            picture = generator.integers(60, 255, (40, 48, 3), dtype=np.uint8)
            Image.fromarray(picture).save(tmp_path / f"{split}{number}.png")
            row: dict[str, Any] = {"image": f"{split}{number}.png", "label": int(split == "test" and number > 1)}
            if split == "test":
                mask = np.zeros((40, 48), dtype=np.uint8)
                mask[10:20, 10:20] = 255 * (number > 1)
                Image.fromarray(mask).save(tmp_path / f"mask{number}.png")
                row["mask"] = f"mask{number}.png"
            rows[split].append(row)
    (tmp_path / "datalist.json").write_text(json.dumps(rows))
    overrides = {"in_channels": 3, "noise_channels": "correlated", "image_false_positive_rate": 0.3}
    _workflow(tmp_path, tmp_path / "m", **overrides).run()
    _workflow(tmp_path, tmp_path / "m", "train evaluate smoke", threshold=1e6, **overrides).run()
    metrics = json.loads((tmp_path / "m" / "log" / "metrics.json").read_text())
    assert metrics["n"]["images"] == 4 and metrics["image_auroc"]["value"] is not None
    assert metrics["dice"]["value"] == 0.0  # two of four images are rightly empty


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("learning_rate", 0.1),
        ("clip_norm", 1e-6),
        ("augmentation", 0.0),
        ("train_timesteps", 8),
        ("prediction_type", "sample"),
        ("value_range", [0.0, 1.5]),
        ("patch_size", 4),
        ("hidden_size", 24),
        ("depth", 4),
        ("num_heads", 4),
        ("feed_forward", "mlp"),
        ("time_conditioning", "token"),
        ("time_channels", 4),
        ("norm_groups", 4),
        ("noise_octaves", 3),
        ("noise_frequency", 8.0),
    ],
)
def test_every_option_of_the_training_has_an_effect(
    phantom_2d: Path, base: State, tmp_path: Path, key: str, value: Any
) -> None:
    other = _train(phantom_2d, tmp_path, **{key: value})
    assert other.keys() != base.keys() or not same_weights(base, other)


@pytest.mark.parametrize(
    ("key", "value"), [("start_levels", [3]), ("repeats", 2), ("noise_seed", 1), ("value_range", [0.0, 1.5])]
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


def _parameters(bundle: Path, names: str) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build(bundle, names).network_def.parameters())


def test_the_configuration_of_the_paper() -> None:
    """256 x 256, patches of 16, 768 channels, 6 blocks and one in the middle, 6 heads."""
    assert _parameters(BUNDLE, "train") == 63_105_939
    assert _parameters(BUNDLE, "train variant_time_token") == 108_591_436
    config = build(BUNDLE, "train").parser.config
    sizes = {"image_size": [256, 256], "batch_size": 32, "learning_rate": 1e-4, "clip_norm": 1.0}
    assert {key: config[key] for key in sizes} == sizes


def test_the_small_network_is_as_large_as_that_of_anoddpm() -> None:
    assert _parameters(BUNDLE, "train cpu") == pytest.approx(_parameters(ANODDPM, "train cpu"), rel=0.01)


def test_the_card_counts_what_is_there() -> None:
    card = (BUNDLE / "docs" / "README.md").read_text("utf-8")
    for names in ("train", "train volume_3d", "train cpu", "train volume_3d cpu", "train variant_time_token"):
        assert f"{_parameters(BUNDLE, names) / 1e6:.2f} million" in card, names
