# SPDX-License-Identifier: Apache-2.0
"""What the guided DDIM bundle promises where the published code went wrong: labels, batches, weights, channels.

Faults F1 to F3, F9 and F10 of that code are tested where the parts are: in the tests of the diffusion and the inferers.
"""

import json
import shutil
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bundle_tools import ROOT, SmokeModels, State, build, build_in, fails_with, same_weights, train_in
from medad.calibration import load_calibration
from medad.diffusion import timesteps_of
from medad.errors import InputError
from medad.networks import weights_hash
from PIL import Image

BUNDLE = ROOT / "bundles" / "guided_ddim"


_workflow = partial(build_in, BUNDLE)
_train = partial(train_in, BUNDLE)


@pytest.fixture(scope="module")
def trained(smoke_models: SmokeModels) -> Path:
    """Folder of a training with train.json + smoke.json."""
    return smoke_models(BUNDLE).models


@pytest.fixture(scope="module")
def base(smoke_models: SmokeModels) -> State:
    """Its weights."""
    return smoke_models(BUNDLE).state


def _write_patterns(folder: Path, channels: int = 1, counts: dict[str, int] | None = None) -> Path:
    """Discs with a bright spot on the right where they are abnormal; one file per channel, if there are several."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[-16:16, -16:16]
    rows: dict[str, list[dict[str, Any]]] = {}
    for split, count in (counts or {"training": 16, "training_abnormal": 16, "calibration": 4, "test": 8}).items():
        for number in range(count):
            abnormal = split == "training_abnormal" or (split == "test" and number % 2 == 1)
            picture = 90 * (x**2 + y**2 < 150) + generator.uniform(0, 20, x.shape)
            picture += 140 * abnormal * ((x - 5) ** 2 + (y - generator.integers(-4, 5)) ** 2 < 12)
            files = []
            for channel in range(channels):
                files.append(f"{split}{number}_{channel}.png")
                Image.fromarray((picture * (1 - 0.1 * channel)).astype(np.uint8)).save(folder / files[-1])
            image = files[0] if channels == 1 else files
            rows.setdefault(split, []).append(
                {"image": image, "label": int(abnormal), "subject_id": f"{split}{number}"}
            )
    (folder / "datalist.json").write_text(json.dumps(rows))
    return folder


def test_an_epoch_takes_every_image_once_with_its_own_label(phantom_2d: Path, tmp_path: Path) -> None:
    """Faults F4 and F5: the loader begins anew at each step; labels and images come in different orders."""
    content = _workflow(phantom_2d, tmp_path).parser.get_parsed_content
    listed = json.loads((phantom_2d / "datalist.json").read_text())
    truth = {row["image"]: row["label"] for split in ("training", "training_abnormal") for row in listed[split]}
    assert sorted(truth.values()) == [0] * 8 + [1] * 4
    preprocess = content("preprocessing")
    known = {
        round(float(preprocess({"image": str(phantom_2d / name)})["image"].double().sum()), 3): label
        for name, label in truth.items()
    }
    assert len(known) == 12
    batches = list(content("train#dataloader"))
    seen = [(float(x.double().sum()), int(y)) for batch in batches for x, y in zip(*batch.values(), strict=True)]
    assert [list(batch) for batch in batches] == [["image", "label"]] * 6
    assert Counter(round(key, 3) for key, _ in seen) == Counter(known.keys())
    assert all(known[round(key, 3)] == label for key, label in seen)


def test_every_image_of_a_batch_counts(phantom_2d: Path, tmp_path: Path) -> None:
    """Fault F7: a return within the loop over parts of a batch. The gradient is the mean over all images."""
    content = _workflow(phantom_2d, tmp_path).parser.get_parsed_content
    network, loss = content("network").train(), content("loss")
    inferer = content("train#inferer")
    batch = {"image": torch.rand(3, 1, 32, 32), "label": torch.tensor([0, 1, 1])}
    images, (target, labels), _, named = content("prepare_batch")(batch)

    def gradient(part: slice) -> torch.Tensor:
        network.zero_grad()
        outputs = inferer(images[part], network, **{name: value[part] for name, value in named.items()})
        loss(outputs, (target[part], labels[part])).backward()
        return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])

    alone = torch.stack([gradient(slice(number, number + 1)) for number in range(3)])
    torch.testing.assert_close(gradient(slice(None)), alone.mean(0), rtol=1e-3, atol=1e-5)


def test_without_abnormal_images_there_is_one_clear_error(phantom_2d: Path, tmp_path: Path) -> None:
    listed = json.loads((phantom_2d / "datalist.json").read_text())
    rows = [{**row, "image": str(phantom_2d / row["image"])} for row in listed["training"]]
    (tmp_path / "datalist.json").write_text(json.dumps({"training": rows[:6], "calibration": rows[6:]}))
    with fails_with(InputError, "the split training_abnormal is missing"):
        _train(tmp_path, tmp_path / "m")
    with fails_with(InputError, "6 normal and 0 abnormal images found"):
        _train(tmp_path, tmp_path / "m", **{"train#datalist": [{**row, "case": "c"} for row in rows[:6]]})


def test_guidance_leads_to_label_zero_which_is_normal(tmp_path: Path) -> None:
    """Fault F6: labels the other way round somewhere between the data list and the guidance."""
    data = _write_patterns(tmp_path)
    options = {"max_epochs": 24, "learning_rate": 0.01, "batch_size": 8, "val_interval": 100}
    _train(data, tmp_path / "m", **options)
    parser = _workflow(data, tmp_path / "m", "inference smoke", steps=8).parser
    network, preprocess = parser.get_parsed_content("network_def").eval(), parser.get_parsed_content("preprocessing")
    network.load_state_dict(torch.load(tmp_path / "m" / "model.pt", weights_only=True))
    tests = json.loads((data / "datalist.json").read_text())["test"]
    images = torch.stack([preprocess({"image": str(data / row["image"])})["image"].as_tensor() for row in tests])
    labels = torch.tensor([row["label"] for row in tests])
    inferer, found = parser.get_parsed_content("inferer"), []
    with torch.no_grad():
        for scale in (0.0, 2.0, 4.0, 8.0):
            inferer.guidance_scale = scale
            healthy = inferer(images, network)[:, 1:]
            found.append(network.classify(2 * healthy - 1, timesteps_of(healthy, 1)).softmax(1)[:, 1])
        first = network.classify(2 * images - 1, timesteps_of(images, 1)).argmax(1)
    assert torch.equal(first, labels)  # the classifier has learned 1 as abnormal
    probability = torch.stack(found)[:, labels == 1]
    assert (probability.diff(dim=0) < 0).all() and float(probability[0].min()) > float(probability[-1].max())


def test_the_classifier_is_trained_alone_and_the_diffusion_network_stays(
    phantom_2d: Path, trained: Path, base: State, tmp_path: Path
) -> None:
    names = "train train_classifier smoke"
    with fails_with(InputError, "no weights there"):
        _train(phantom_2d, tmp_path / "nothing", names)
    for name in ("whole", "stopped"):
        shutil.copytree(trained, tmp_path / name)
    first = (trained / "training_state.pt").read_bytes()
    _workflow(phantom_2d, tmp_path / "whole", names, max_epochs=2).run()
    found = torch.load(tmp_path / "whole" / "model.pt", weights_only=True)
    assert same_weights(found, base, "diffusion")
    assert not any(torch.equal(found[name], base[name]) for name in base if name.startswith("classifier"))
    calibration = load_calibration(tmp_path / "whole" / "calibration.json")
    assert calibration.weights_sha256 == weights_hash(tmp_path / "whole" / "model.pt")
    assert (tmp_path / "whole" / "training_state.pt").read_bytes() == first  # that training can still be continued
    _train(phantom_2d, tmp_path / "stopped", names, **{"train#trainer#max_epochs": 1})
    assert same_weights(_train(phantom_2d, tmp_path / "stopped", names, max_epochs=2, resume=True), found)


def test_four_channels_from_training_to_metrics(tmp_path: Path) -> None:
    """Fault F8: the number of channels stands in the code. One file per channel, as in BraTS."""
    counts = {"training": 4, "training_abnormal": 4, "calibration": 3, "test": 4}
    data = _write_patterns(tmp_path, channels=4, counts=counts)
    overrides = {"image_false_positive_rate": 0.3}  # three normals support no smaller rate
    _workflow(data, tmp_path / "m", "train brats smoke", **overrides).run()
    _workflow(data, tmp_path / "m", "train evaluate brats smoke", **overrides).run()
    metrics = json.loads((tmp_path / "m" / "log" / "metrics.json").read_text())
    assert metrics["n"]["images"] == 4 and metrics["image_auroc"]["value"] is not None


def test_the_averaged_weights_are_saved_and_used(phantom_2d: Path, trained: Path, base: State, tmp_path: Path) -> None:
    """Fault F8: nobody knows which of two sets of weights is meant."""
    objects = torch.load(trained / "training_state.pt", weights_only=True)["objects"]
    assert same_weights(base, objects["averaged"]) and not same_weights(base, objects["network"])
    content = _workflow(phantom_2d, tmp_path).parser.get_parsed_content
    assert content("validate#evaluator").network is content("averaged_network")


def test_a_check_in_passing_takes_a_few_steps_and_an_evaluation_all(phantom_2d: Path, tmp_path: Path) -> None:
    content = _workflow(phantom_2d, tmp_path, "train").parser.get_parsed_content
    checked, calibrated = content("validate#evaluator").inferer, content("calibrate#calibrator").evaluator.inferer
    evaluated = _workflow(phantom_2d, tmp_path, "train evaluate").parser.get_parsed_content("validate#evaluator")
    assert checked.steps == 5 and evaluated.inferer.steps == calibrated.steps == 500
    assert repr(evaluated.inferer) == repr(calibrated)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("learning_rate", 0.1),
        ("augmentation", 1.0),
        ("train_timesteps", 8),
        ("value_range", [0.0, 1.5]),
    ],
)
def test_every_option_of_the_training_has_an_effect(
    phantom_2d: Path, base: State, tmp_path: Path, key: str, value: Any
) -> None:
    other = _train(phantom_2d, tmp_path, **{key: value})
    assert not same_weights(base, other, "diffusion") and not same_weights(base, other, "classifier")


@pytest.mark.parametrize("part", ["", "classifier_"])
@pytest.mark.parametrize(
    ("key", "value"), [("channels", [8, 24]), ("attention_levels", [True, True]), ("num_res_blocks", 2)]
)
def test_every_size_belongs_to_its_network(base: State, part: str, key: str, value: Any) -> None:
    other = build(BUNDLE, "train smoke", **{part + key: value}).network_def.state_dict()
    changed = {name for name in other if name not in base or other[name].shape != base[name].shape}
    assert {name.split(".")[0] for name in changed} == {"classifier" if part else "diffusion"}


@pytest.mark.parametrize(
    ("key", "value"), [("level", 3), ("steps", 4), ("guidance_scale", 1.0), ("value_range", [0.0, 1.5])]
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
    for names in ("train", "train brats", "train volume_3d", "train cpu", "train volume_3d cpu"):
        with torch.device("meta"):
            network = build(BUNDLE, names).network_def
        parameters = sum(p.numel() for p in network.parameters())
        assert f"{parameters / 1e6:.2f} million" in card, names
