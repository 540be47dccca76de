# SPDX-License-Identifier: Apache-2.0
"""What the UniAD bundle promises: where its features come from, and that faults of the published code are none here.

Faults F4, F6 and F7 of that code (the mask, the feature size, the scale of the tokens) are tested where the network is.
"""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
from bundle_tools import ROOT, State, build_in, fails_with, same_weights, train_in
from medad.errors import InputError
from medad.export.release import export_bundle
from medad.metrics import AnomalyMetrics
from medad.networks import tensor_hash
from medad.phantom import write_phantom_dataset
from release_tools import options, run_without_medad

BUNDLE = ROOT / "bundles" / "uniad"

_workflow = partial(build_in, BUNDLE)
_train = partial(train_in, BUNDLE)


@pytest.fixture(scope="module")
def backbone(phantom_2d: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a backbone that train_backbone.json trained for an epoch."""
    folder = tmp_path_factory.mktemp("backbone")
    asked_for = {"backbone_weights": folder / "backbone.pt", "allow_random_backbone": False}  # as in train.json
    _workflow(phantom_2d, folder, "train train_backbone smoke", **asked_for).run()
    return folder / "backbone.pt"


def _with_file(backbone: Path) -> dict[str, object]:
    return {"backbone_weights": backbone, "allow_random_backbone": False}


def _hash_in(state: State) -> str:
    return bytes(state["features.backbone_sha256"].tolist()).hex()


def test_the_first_stage_trains_a_backbone_and_nothing_else(phantom_2d: Path, backbone: Path) -> None:
    written = {path.name for path in backbone.parent.iterdir() if not path.name.endswith(".lock")}
    assert written == {"backbone.pt", "training_state_backbone.pt", "log"}
    drawn = _workflow(phantom_2d, backbone.parent).parser.get_parsed_content("features").backbone.state_dict()
    trained: State = torch.load(backbone, weights_only=True)
    assert trained.keys() == drawn.keys()
    changed = [name for name, value in trained.items() if not torch.equal(value, drawn[name])]
    assert {"conv1.weight", "bn1.running_mean", "layer2.0.conv1.weight"} <= set(changed)


def test_a_last_batch_of_one_image_is_left_out_on_every_rank(phantom_2d: Path, tmp_path: Path) -> None:
    """Batch normalization cannot train on it; 8 images for one rank, 5 that a sampler gives to one of several."""
    names, ranks = (
        "train train_backbone smoke",
        {"train#dataloader#sampler": "$range(5)", "train#dataloader#shuffle": 0},
    )
    for overrides, last in (({}, 4), (ranks, 4), ({"pretext_batch_size": 7}, 7)):
        loader = _workflow(phantom_2d, tmp_path, names, **overrides).parser.get_parsed_content("train#dataloader")
        assert [len(batch["image"]) for batch in loader][-1] == last


def test_the_second_stage_takes_it_and_keeps_its_hash(phantom_2d: Path, backbone: Path, tmp_path: Path) -> None:
    state = _train(phantom_2d, tmp_path, **_with_file(backbone))
    trained: State = torch.load(backbone, weights_only=True)
    expected = {f"features.backbone.{name}": value for name, value in trained.items()}
    assert same_weights(expected, state, "features.backbone.")
    assert _hash_in(state) == tensor_hash(trained)


def test_without_a_backbone_there_is_one_clear_error(phantom_2d: Path, tmp_path: Path) -> None:
    with fails_with(InputError, "no such file"):
        _workflow(phantom_2d, tmp_path, "train cpu").run()
    with fails_with(InputError, "train_backbone.json"):
        _workflow(phantom_2d, tmp_path, "train cpu").run()
    with fails_with(InputError, "no file with weights"):
        _train(phantom_2d, tmp_path, allow_random_backbone=False)


def test_the_backbone_may_stay_outside_of_the_weights(phantom_2d: Path, backbone: Path, tmp_path: Path) -> None:
    overrides = {**_with_file(backbone), "save_backbone": False}
    _workflow(phantom_2d, tmp_path, **overrides).run()
    state: State = torch.load(tmp_path / "model.pt", weights_only=True)
    assert _hash_in(state) == tensor_hash(torch.load(backbone, weights_only=True))
    assert {name.partition(".")[2] for name in state if name.startswith("features.")} == {
        "backbone_sha256",
        "mean",
        "std",
    }
    _workflow(phantom_2d, tmp_path, "inference smoke", **overrides).run()
    assert (tmp_path / "log" / "scores.csv").read_text().count("\n") > 2
    for other in ({"allow_random_backbone": False}, {"allow_random_backbone": True}):
        with fails_with(InputError, "needs a file with weights of the SHA-256"):
            _workflow(phantom_2d, tmp_path, "inference smoke", save_backbone=False, **other).run()


def test_after_the_training_nothing_asks_for_the_file(phantom_2d: Path, backbone: Path, tmp_path: Path) -> None:
    """The configurations of evaluation and calibration are those of a training, and model.pt has the backbone."""
    bundle = shutil.copytree(BUNDLE, tmp_path / "uniad")
    smoke = json.loads((bundle / "configs" / "smoke.json").read_text())
    del smoke["backbone_weights"], smoke["allow_random_backbone"]
    (bundle / "configs" / "smoke.json").write_text(json.dumps(smoke))
    file = Path(shutil.copy(backbone, tmp_path / "backbone.pt"))
    build_in(bundle, phantom_2d, tmp_path).run()
    file.unlink()
    thresholds = json.loads((tmp_path / "calibration.json").read_text())
    release = export_bundle(bundle, tmp_path / "dist", ["smoke"], tmp_path / "model.pt").folder
    for overlay in ("calibrate", "evaluate"):
        build_in(bundle, phantom_2d, tmp_path, f"train smoke {overlay}").run()
    assert json.loads((tmp_path / "calibration.json").read_text()) == thresholds
    files = ("--config_file", "['configs/train.json','configs/evaluate.json']")
    places = options(dataset_dir=phantom_2d, output_dir=tmp_path / "out")
    done = run_without_medad(release, "-m", "monai.bundle", "run", *files, *places)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "log" / "metrics.json").is_file() and (tmp_path / "out" / "metrics.json").is_file()


@pytest.mark.parametrize("random", [True, False])
def test_a_release_says_where_its_features_come_from(
    random: bool, phantom_2d: Path, backbone: Path, tmp_path: Path
) -> None:
    state = _train(phantom_2d, tmp_path, **({} if random else _with_file(backbone)))
    release = export_bundle(BUNDLE, tmp_path / "dist", ["smoke"], tmp_path / "model.pt")
    metadata = json.loads((release.folder / "configs" / "metadata.json").read_text())
    assert metadata["backbone"] == {"name": "resnet10", "sha256": _hash_in(state), "random": random}


def test_features_are_computed_once_and_never_taken_from_another_backbone(
    phantom_2d: Path, backbone: Path, tmp_path: Path
) -> None:
    computed = []
    for overrides in ({}, {}, {"image_size": [32, 32]}, _with_file(backbone), _with_file(backbone)):
        content = _workflow(phantom_2d, tmp_path, **overrides).parser.get_parsed_content
        features, seen = content("features"), []
        hook = features.register_forward_hook(lambda _module, images, _output, seen=seen: seen.append(len(images[0])))
        dataset = content("train#dataset")
        hook.remove()
        computed.append(sum(seen))
        image = content("train#preprocessing")(content("train#datalist")[3])["image"].as_tensor()
        torch.testing.assert_close(dataset[3]["image"], features(image[None])[0], rtol=2e-3, atol=1e-3)
    assert computed == [8, 0, 8, 8, 0]


def test_a_training_is_not_continued_on_features_of_another_backbone(
    phantom_2d: Path, backbone: Path, tmp_path: Path
) -> None:
    _train(phantom_2d, tmp_path, **_with_file(backbone))
    with fails_with(InputError, "begin a new training"):
        _train(phantom_2d, tmp_path, resume=True, max_epochs=2)
    _train(phantom_2d, tmp_path, resume=True, max_epochs=2, **_with_file(backbone))


def test_features_that_are_damaged_during_a_training_are_named(phantom_2d: Path, tmp_path: Path) -> None:
    trainer = _workflow(phantom_2d, tmp_path, num_workers=1).parser.get_parsed_content("train#trainer")
    for path in (tmp_path / "features").rglob("*.npz"):
        path.write_bytes(b"damaged")
    with fails_with(InputError, ".npz: features cannot be read"):
        trainer.run()
    assert not (tmp_path / "model.pt").exists()


def test_one_model_for_two_organs(phantom_2d: Path, tmp_path: Path) -> None:
    """From a list of data sets to metrics of each and of all, with thresholds of each."""
    counts = {"training": 6, "calibration": 20, "validation": 0, "test": 6}
    write_phantom_dataset(
        tmp_path / "second", spatial_dims=2, image_size=(48, 48), counts=counts, seed=1, progress=False
    )
    sets = {"first": str(phantom_2d), "second": str(tmp_path / "second")}
    _workflow(phantom_2d, tmp_path, dataset_dir=sets).run()
    _workflow(phantom_2d, tmp_path, "train evaluate smoke", dataset_dir=sets).run()
    metrics = json.loads((tmp_path / "log" / "metrics.json").read_text())
    assert set(metrics["datasets"]) == set(sets)
    assert metrics["n"]["images"] == sum(each["n"]["images"] for each in metrics["datasets"].values()) == 12
    assert all(each["image_auroc"]["value"] is not None for each in metrics["datasets"].values())
    calibration = json.loads((tmp_path / "calibration.json").read_text())
    assert set(calibration["groups"]) == set(sets)
    assert calibration["images"] == 40 and [calibration["groups"][name]["images"] for name in sets] == [20, 20]


def test_scores_the_wrong_way_round_have_an_auroc_below_one_half() -> None:
    """Fault F1: values below one half are flipped."""
    metrics = AnomalyMetrics()
    for number in range(20):
        metrics.update_image(-float(number % 2), number % 2, None, subject_id=str(number), case=str(number))
    assert metrics.compute(bootstrap=10, seed=0)["image_auroc"]["value"] == 0.0


def test_training_sees_no_test_data(phantom_2d: Path, tmp_path: Path) -> None:
    """Fault F2: the best checkpoint is chosen on the test set. Here the last step counts."""
    data = tmp_path / "data"
    shutil.copytree(phantom_2d, data)
    rows = json.loads((data / "datalist.json").read_text())
    (data / "datalist.json").write_text(json.dumps({**rows, "test": [], "training_abnormal": []}))
    state = _train(data, tmp_path, max_epochs=2)
    saved = torch.load(tmp_path / "training_state.pt", weights_only=True)
    assert saved["epoch"] == 2 and same_weights(state, saved["objects"]["network"])


def test_labels_come_from_the_data_list_and_missing_masks_count_nowhere(phantom_2d: Path, tmp_path: Path) -> None:
    """Faults F3 and F5: the label is taken from the mask, a missing mask is all ones; the test set is shuffled."""
    data = tmp_path / "data"
    shutil.copytree(phantom_2d, data)
    rows = json.loads((data / "datalist.json").read_text())
    abnormal = [row for row in rows["test"] if row["label"] == 1]
    del abnormal[0]["mask"]
    (data / "datalist.json").write_text(json.dumps(rows))
    _train(data, tmp_path)
    _workflow(data, tmp_path, "train calibrate smoke").run()
    workflow = _workflow(data, tmp_path, "train evaluate smoke")
    loader = workflow.parser.get_parsed_content("validate#dataloader")
    listed = [Path(row["image"]).name for row in rows["test"]]
    assert [Path(item["image"]).name for item in loader.dataset.data] == listed
    assert [Path(case["image"].meta["filename_or_obj"]).name for batch in loader for case in batch["cases"]] == listed
    workflow.run()
    metrics = json.loads((tmp_path / "log" / "metrics.json").read_text())
    counted = metrics["n"]
    assert counted["images"] == 6 and counted["abnormal"] == len(abnormal) and counted["voxels"] == 5 * 64 * 64
