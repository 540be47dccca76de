# SPDX-License-Identifier: Apache-2.0
"""What the cascade promises: two stages one after the other, the second of them on what the first one finds.

Faults F1 to F3 of a published re-implementation (swapped weights, sums for means, variance of one sample) are tested
where the loss is.
"""

from __future__ import annotations

import csv
import json
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
from bundle_tools import ROOT, State, build_in, fails_with, same_weights, train_in
from medad.errors import InputError
from medad.metrics import label_components
from medad.postprocessing import crop_around, find_candidates

BUNDLE = ROOT / "bundles" / "microcalcification_cascade"
SECOND = "train train_classifier smoke"

_workflow = partial(build_in, BUNDLE)
_train = partial(train_in, BUNDLE)


@pytest.fixture(scope="module")
def first(phantom_2d: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a first stage."""
    folder = tmp_path_factory.mktemp("first")
    _train(phantom_2d, folder)
    return folder


def test_the_second_stage_learns_from_the_false_alarms_of_the_first(phantom_2d: Path, first: Path) -> None:
    """Fault F4 there: negatives were drawn at random. Every crop here is a candidate, or a lesion."""
    content = _workflow(phantom_2d, first, SECOND, candidate_threshold=0.3, stage="cascade").parser.get_parsed_content
    crops, inferer, network = content("train#dataset"), content("inferer"), content("network_def").eval()
    expected: dict[int, list[torch.Tensor]] = {0: [], 1: []}
    for item in content("train#datalist"):
        loaded = content("train#loading")({"mask": "", **item})
        image, lesions = loaded["image"].as_tensor(), label_components(loaded["mask"].as_tensor()[0])
        residual = inferer.separate(image[None], network)[0, :1].detach()
        for center in find_candidates(residual, 2, 0.3, content("candidate_size")).centroids:
            distance = ((lesions > 0).nonzero() - (center + 0.5).floor()).double().norm(dim=1)
            hit = bool(len(distance)) and float(distance.min()) <= content("hit_distance")
            expected[int(hit)].append(crop_around(image, center[None], (8, 8)))
        for number in range(1, int(lesions.max()) + 1):
            center = (lesions == number).nonzero().double().mean(dim=0)
            expected[1].append(crop_around(image, center[None], (8, 8)))
    for label, found in expected.items():
        torch.testing.assert_close(crops.crops[crops.labels == label].sum(dim=0), torch.cat(found).sum(dim=0))
        assert int((crops.labels == label).sum()) == len(found) > 0
    drawn = crops.class_weights()
    assert float(drawn[crops.labels == 0].sum()) == pytest.approx(float(drawn[crops.labels == 1].sum()))


def test_each_stage_leaves_the_other_one_alone(phantom_2d: Path, first: Path, tmp_path: Path) -> None:
    shutil.copy(first / "model.pt", tmp_path)
    before: State = torch.load(first / "model.pt", weights_only=True)
    assert int(before["classifier_trained"]) == 0
    after = _train(phantom_2d, tmp_path, SECOND, candidate_threshold=0.3)
    assert int(after["classifier_trained"]) == 1
    assert same_weights(before, after, "separation.")
    assert not same_weights(before, after, "classifier.")


def test_detections_are_listed_and_held_against_the_lesions(phantom_2d: Path, first: Path, tmp_path: Path) -> None:
    for path in first.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    _train(phantom_2d, tmp_path, SECOND, candidate_threshold=0.3)
    settings = {"stage": "cascade", "candidate_threshold": 0.3}
    _workflow(phantom_2d, tmp_path, "train calibrate smoke", **settings).run()
    _workflow(phantom_2d, tmp_path, "train evaluate smoke", **settings).run()
    metrics = json.loads((tmp_path / "log" / "metrics.json").read_text())
    assert metrics["froc"] and (tmp_path / "log" / "froc.csv").is_file()
    with (tmp_path / "log" / "detections.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (tmp_path / "log" / "scores.csv").open() as file:
        scores = {row["case"]: float(row["score"]) for row in csv.DictReader(file)}
    assert rows and {"case", "x", "y", "x_mm", "y_mm", "score"} <= rows[0].keys()
    for case, score in scores.items():  # the most suspicious detection is the score of the image
        best = max((float(row["score"]) for row in rows if row["case"] == case), default=0.0)
        assert best == pytest.approx(score, rel=1e-4)


def test_images_of_any_size_meet_the_network_as_they_are(phantom_2d: Path, first: Path, tmp_path: Path) -> None:
    content = _workflow(phantom_2d, first, "train smoke").parser.get_parsed_content
    network, inferer = content("network_def").eval(), content("inferer")
    for size in ((20, 90), (32, 32), (77, 41)):
        assert inferer(torch.rand(1, 1, *size), network).shape == (1, 2, *size)


def test_what_is_missing_is_named(phantom_2d: Path, first: Path, tmp_path: Path) -> None:
    with fails_with(InputError, "no weights there"):
        _workflow(phantom_2d, tmp_path, SECOND).run()
    lists = json.loads((phantom_2d / "datalist.json").read_text())
    for split in lists.values():
        for row in split if isinstance(split, list) else ():
            row["image"] = str(phantom_2d / row["image"])
            row.pop("mask", None)
    (tmp_path / "datalist.json").write_text(json.dumps(lists))
    with fails_with(InputError, "no abnormal images with a mask"):
        _train(tmp_path, tmp_path)
    with fails_with(InputError, "0 false alarms of the first stage"):
        _train(phantom_2d, first, SECOND, candidate_threshold=5.0)
