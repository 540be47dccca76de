# SPDX-License-Identifier: Apache-2.0
"""What the AnoDDPM bundle promises where the published code went wrong: noise, seeds, colors, weights, modes.

Faults F1, F2, F11 and F12 of that code are tested where the parts are: in the tests of the engines, the inferers and
the networks; F3 and F8 in those of the metrics; F5 and F7 in those of the noise.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bundle_tools import ROOT, SmokeModels, State, build, build_in, same_weights, train_in
from PIL import Image

BUNDLE = ROOT / "bundles" / "anoddpm"


_workflow = partial(build_in, BUNDLE)
_train = partial(train_in, BUNDLE)


@pytest.fixture(scope="module")
def base(smoke_models: SmokeModels) -> State:
    """Weights of train.json + smoke.json."""
    return smoke_models(BUNDLE).state


def test_seed_zero_is_a_seed_like_any_other(phantom_2d: Path, base: State, tmp_path: Path) -> None:
    """Fault F6: a seed of 0 is replaced by a random one."""
    assert same_weights(base, _train(phantom_2d, tmp_path / "again", seed=0))
    assert not same_weights(base, _train(phantom_2d, tmp_path / "other", seed=1))


@pytest.mark.parametrize(("key", "value"), [("noise_octaves", 2), ("noise_persistence", 0.3), ("noise_frequency", 8.0)])
def test_parameters_of_the_noise_change_its_spectrum(phantom_2d: Path, tmp_path: Path, key: str, value: float) -> None:
    """Fault F4: chosen parameters of the noise are overwritten by the default ones."""

    def spectrum(**overrides: Any) -> torch.Tensor:
        noise = _workflow(phantom_2d, tmp_path, "train", **overrides).parser.get_parsed_content("noise")
        fields = noise(torch.zeros(64, 1, 64, 64), torch.arange(64))
        power = torch.fft.rfft2(fields).abs().square().mean((0, 1))
        return torch.stack([power[low:high, low:high].sum() for low, high in ((1, 4), (4, 12), (12, 32))])

    default, changed = spectrum(), spectrum(**{key: value})
    assert float(((changed / default).log()).abs().max()) > 0.3


def test_one_noise_for_training_validation_and_inference(phantom_2d: Path, tmp_path: Path) -> None:
    """Fault F9: some outputs are made with another noise than the one chosen."""
    for names in ("train", "train variant_gaussian"):
        parser = _workflow(phantom_2d, tmp_path, f"{names} smoke").parser
        noise = parser.get_parsed_content("noise")
        trainer = parser.get_parsed_content("train#trainer")
        users = [trainer.prepare_batch, *(parser.get_parsed_content(key) for key in ("inferer", "validate#inferer"))]
        assert all(user.noise is noise for user in users)
        images = {"image": torch.rand(32, 1, 64, 64)}
        target = trainer.prepare_batch(images)[1]
        expected = noise(images["image"], torch.arange(32))
        assert float(target.std()) == pytest.approx(float(expected.std()), rel=0.1)
        kind = type(noise).__name__
        assert kind == ("GaussianNoise" if "gaussian" in names else "FractalSimplexNoise")
        inference = _workflow(phantom_2d, tmp_path, f"{names.replace('train', 'inference', 1)} smoke").parser
        assert repr(inference.get_parsed_content("inferer")) == repr(parser.get_parsed_content("inferer"))


def test_color_images_from_training_to_metrics(tmp_path: Path) -> None:
    """Fault F10: color images stop at a network built for one channel."""
    generator = np.random.default_rng(0)
    rows: dict[str, list[dict[str, Any]]] = {"training": [], "calibration": [], "test": []}
    for split, count in (("training", 4), ("calibration", 3), ("test", 4)):
        for number in range(count):
            picture = generator.integers(60, 255, (40, 48, 3), dtype=np.uint8)
            Image.fromarray(picture).save(tmp_path / f"{split}{number}.png")
            rows[split].append({"image": f"{split}{number}.png", "label": int(split == "test" and number > 1)})
    (tmp_path / "datalist.json").write_text(json.dumps(rows))
    overrides = {"in_channels": 3, "image_false_positive_rate": 0.3}  # three normals support no smaller rate
    _workflow(tmp_path, tmp_path / "m", **overrides).run()
    _workflow(tmp_path, tmp_path / "m", "train evaluate smoke", **overrides).run()
    metrics = json.loads((tmp_path / "m" / "log" / "metrics.json").read_text())
    assert metrics["n"]["images"] == 4 and metrics["image_auroc"]["value"] is not None


def test_the_averaged_weights_are_saved_and_used(phantom_2d: Path, tmp_path: Path) -> None:
    workflow = _workflow(phantom_2d, tmp_path)
    workflow.run()
    content = workflow.parser.get_parsed_content
    saved = torch.load(tmp_path / "model.pt", weights_only=True)
    assert same_weights(saved, content("averaged_network").state_dict())
    trained = torch.load(tmp_path / "training_state.pt", weights_only=True)["objects"]["network"]
    assert not same_weights(saved, trained)
    assert content("validate#evaluator").network is content("averaged_network")


def test_a_check_in_passing_takes_one_step_and_an_evaluation_all(phantom_2d: Path, tmp_path: Path) -> None:
    checked = _workflow(phantom_2d, tmp_path).parser.get_parsed_content("validate#evaluator").inferer
    evaluated = _workflow(phantom_2d, tmp_path, "train evaluate smoke").parser.get_parsed_content("validate#evaluator")
    calibrated = _workflow(phantom_2d, tmp_path).parser.get_parsed_content("calibrate#calibrator").evaluator
    assert checked.mode == "one_step"
    assert evaluated.inferer.mode == calibrated.inferer.mode == "ancestral"


def test_the_weights_of_one_training_serve_every_mode(phantom_2d: Path, tmp_path: Path) -> None:
    _train(phantom_2d, tmp_path)
    scores = {}
    for name in ("", "variant_one_step", "variant_ddim"):
        out = tmp_path / f"out_{name}"
        paths = {"ckpt_path": tmp_path / "model.pt", "dataset_dir": phantom_2d, "threshold": 0.1}
        build(BUNDLE, f"inference {name} smoke", "infer", output_dir=out, **paths).run()
        scores[name] = (out / "scores.csv").read_bytes()
    assert len(set(scores.values())) == 3


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_epochs", 2),
        ("batch_size", 4),
        ("learning_rate", 0.1),
        ("clip_norm", 1e-6),
        ("augmentation", 0.0),
        ("train_timesteps", 8),
        ("prediction_type", "sample"),
        ("value_range", [0.0, 1.5]),
        ("norm_groups", 2),
        ("num_res_blocks", 2),
        ("channels", [8, 8]),
        ("attention_levels", [True, True]),
        ("noise_octaves", 3),
    ],
)
def test_every_option_of_the_training_has_an_effect(
    phantom_2d: Path, base: State, tmp_path: Path, key: str, value: Any
) -> None:
    assert not same_weights(base, _train(phantom_2d, tmp_path, **{key: value}))


@pytest.mark.parametrize(
    ("key", "value"), [("start_levels", [3]), ("repeats", 2), ("noise_seed", 1), ("value_range", [0.0, 1.5])]
)
def test_every_option_of_the_inference_has_an_effect(phantom_2d: Path, tmp_path: Path, key: str, value: Any) -> None:
    parser = _workflow(phantom_2d, tmp_path, "inference smoke").parser
    changed = _workflow(phantom_2d, tmp_path, "inference smoke", **{key: value}).parser
    network = parser.get_parsed_content("network_def").eval()
    images = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        maps = [each.get_parsed_content("inferer")(images, network) for each in (parser, changed)]
    assert not torch.equal(*maps)
    settings = [each.get_parsed_content("calibration").settings for each in (parser, changed)]
    assert settings[0] != settings[1]  # a calibration of one is refused by the other


def test_the_card_counts_what_is_there() -> None:
    card = (BUNDLE / "docs" / "README.md").read_text("utf-8")
    for names in ("train", "train volume_3d", "train cpu", "train volume_3d cpu"):
        with torch.device("meta"):
            network = build(BUNDLE, names).network_def
        parameters = sum(p.numel() for p in network.parameters())
        assert f"{parameters / 1e6:.2f} million" in card, names
