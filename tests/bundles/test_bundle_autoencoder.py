# SPDX-License-Identifier: Apache-2.0
"""What the autoencoder bundle promises where published code went wrong: data, options, weights, corruption, sizes."""

import json
import shutil
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from bundle_tools import ROOT, build, build_in, fails_with, same_weights, train_in
from medad.errors import InputError
from PIL import Image

BUNDLE = ROOT / "bundles" / "autoencoder"


_workflow = partial(build_in, BUNDLE)
_train = partial(train_in, BUNDLE)


def test_an_epoch_sees_every_image(phantom_2d: Path, tmp_path: Path) -> None:
    parser = _workflow(phantom_2d, tmp_path, batch_size=3).parser
    loader, dataset = (parser.get_parsed_content(f"train#{key}") for key in ("dataloader", "dataset"))
    known = {round(float(dataset[i]["target"].double().sum()), 3): i for i in range(8)}
    seen = [known[round(float(x.double().sum()), 3)] for batch in loader for x in batch["target"]]
    assert sorted(seen) == list(range(8))


def test_a_single_last_image_waits_for_the_next_epoch(phantom_2d: Path, tmp_path: Path) -> None:
    loader = _workflow(phantom_2d, tmp_path, batch_size=7).parser.get_parsed_content("train#dataloader")
    seen = Counter(round(float(x.double().sum()), 3) for _ in range(12) for batch in loader for x in batch["target"])
    assert seen.total() == 12 * 7 and len(seen) == 8
    with fails_with(InputError, "a batch of one image"):
        _train(phantom_2d, tmp_path, batch_size=1)


def test_training_needs_neither_test_nor_abnormal_images(phantom_2d: Path, tmp_path: Path) -> None:
    expected = _train(phantom_2d, tmp_path / "all")
    alone = tmp_path / "data"
    shutil.copytree(phantom_2d, alone)
    datalist = json.loads((alone / "datalist.json").read_text())
    for row in datalist["test"]:
        (alone / row["image"]).unlink()
    (alone / "datalist.json").write_text(json.dumps({key: datalist[key] for key in ("training", "calibration")}))
    assert same_weights(_train(alone, tmp_path / "alone"), expected)


def test_the_weights_are_those_of_the_last_step(phantom_2d: Path, tmp_path: Path) -> None:
    workflow = _workflow(phantom_2d, tmp_path, max_epochs=3)
    workflow.parser.get_parsed_content("train#trainer").run()
    assert same_weights(torch.load(tmp_path / "model.pt", weights_only=True), workflow.network_def.state_dict())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_epochs", 2),
        ("batch_size", 4),
        ("learning_rate", 0.1),
        ("seed", 5),
        ("latent_size", 2),
        ("hidden_size", 8),
        ("channels", [4, 8, 8, 16]),
        ("keep_aspect", False),
        ("foreground_threshold", 0.5),
    ],
)
def test_every_option_of_the_training_has_an_effect(phantom_2d: Path, tmp_path: Path, key: str, value: Any) -> None:
    data = phantom_2d
    if key in ("keep_aspect", "foreground_threshold"):
        data = _oblong(tmp_path / "oblong", phantom_2d)
    assert not same_weights(_train(data, tmp_path / "base"), _train(data, tmp_path / "other", **{key: value}))


def _oblong(folder: Path, data: Path) -> Path:
    """Images that are wider than high."""
    folder.mkdir()
    rows = json.loads((data / "datalist.json").read_text())["training"][:4]
    for number, row in enumerate(rows):
        Image.open(data / row["image"]).resize((80, 50)).save(folder / f"{number}.png")
    items = [{"image": f"{number}.png", "label": 0} for number in range(4)]
    (folder / "datalist.json").write_text(json.dumps({"training": items[:2], "calibration": items[2:]}))
    return folder


@pytest.mark.parametrize(("form", "dims"), [("", 2), ("volume_3d ", 3)])
def test_context_encoding_hides_one_square_and_asks_for_the_whole_image(
    phantom_2d: Path, phantom_3d: Path, tmp_path: Path, form: str, dims: int
) -> None:
    data = phantom_2d if dims == 2 else phantom_3d
    parser = _workflow(data, tmp_path, f"train {form}variant_context_encoding smoke").parser
    batch = next(iter(parser.get_parsed_content("train#dataloader")))
    image, target = batch["image"], batch["target"]
    assert len(image) == 8
    hidden = (image == 0) & (target > 0)
    assert all(bool(h.any()) for h in hidden[:2])
    boxes = []
    for h, x, y in zip(hidden, image, target, strict=True):
        places = h[0].nonzero()
        low, high = places.min(0).values, places.max(0).values
        edge = round(10 / 64 * x.shape[-1])
        assert bool((high - low < edge).all())
        torch.testing.assert_close(torch.where(h, y, x), y, rtol=0, atol=0)  # nothing else has changed
        boxes.append(tuple(low.tolist()))
    assert len(set(boxes)) > 1  # not one place for the whole batch
    assert "corruption" not in (BUNDLE / "configs" / "inference.json").read_text()


def test_the_variational_scores_do_not_depend_on_chance(phantom_2d: Path, tmp_path: Path) -> None:
    _train(phantom_2d, tmp_path, "train variant_vae smoke")
    paths = {"ckpt_path": tmp_path / "model.pt", "dataset_dir": phantom_2d, "threshold": 0.1}
    for seed in (0, 1):
        out = tmp_path / f"out{seed}"
        build(BUNDLE, "inference variant_vae smoke", "infer", output_dir=out, seed=seed, **paths).run()
    assert (tmp_path / "out0/scores.csv").read_bytes() == (tmp_path / "out1/scores.csv").read_bytes()


def test_a_gradient_of_the_code_needs_a_variational_network(phantom_2d: Path, tmp_path: Path) -> None:
    _train(phantom_2d, tmp_path)
    paths = {"ckpt_path": tmp_path / "model.pt", "dataset_dir": phantom_2d, "threshold": 0.1}
    workflow = build(BUNDLE, "inference variant_grad_kl smoke", "infer", output_dir=tmp_path / "out", **paths)
    with fails_with(InputError, "no Gaussian code"):
        workflow.run()


def test_the_card_counts_what_is_there() -> None:
    card = (BUNDLE / "docs" / "README.md").read_text("utf-8")
    for names in ("train", "train volume_3d", "train variant_vae", "train variant_spatial"):
        network = build(BUNDLE, names).network_def
        parameters = sum(p.numel() for p in network.parameters())
        assert f"{parameters / 1e6:.2f} million" in card, names
    # a latent size of 16 is another thing where it is had at every place of a grid: numbers in the code are compared
    metadata = json.loads((BUNDLE / "configs" / "metadata.json").read_text("utf-8"))
    assert metadata["code_size"] == {
        "train.json": build(BUNDLE, "train").network_def.latent_size,
        "variant_spatial.json": build(BUNDLE, "train variant_spatial").network_def.code_size,
    }
