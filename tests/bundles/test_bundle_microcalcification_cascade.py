# SPDX-License-Identifier: Apache-2.0
"""What the cascade promises: two stages one after the other, the second of them on what the first one finds.

Faults F1 to F3 of a published re-implementation (swapped weights, sums for means, variance of one sample) are tested
where the loss is.
"""

import csv
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bundle_tools import ROOT, SmokeModels, State, build_in, fails_with, same_weights, train_in
from dicom_files import write_single
from medad.anomaly_map import crop_around, find_candidates
from medad.engines import CohortError
from medad.errors import InputError
from medad.morphology import label_components

BUNDLE = ROOT / "bundles" / "microcalcification_cascade"
SECOND = "train train_classifier smoke"

_workflow = partial(build_in, BUNDLE)
_train = partial(train_in, BUNDLE)


@pytest.fixture(scope="module")
def first(smoke_models: SmokeModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a first stage."""
    return shutil.copytree(smoke_models(BUNDLE).models, tmp_path_factory.mktemp("first") / "models")


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
    with fails_with(InputError, "no abnormal images with a mask or circles"):
        _train(tmp_path, tmp_path)
    with fails_with(InputError, "0 false alarms of the first stage"):
        _train(phantom_2d, first, SECOND, candidate_threshold=5.0)


def test_circles_of_a_manifest_are_what_it_learns_from(phantom_2d: Path, tmp_path: Path) -> None:
    """As with masks, from a table; an image whose circle is in a corner is left out."""
    lists = json.loads((phantom_2d / "datalist.json").read_text())
    rows = [("file", "split", "label", "cx", "cy", "radius")]
    rows += [(phantom_2d / item["image"], "train", 0, "", "", "") for item in lists["training"]]
    rows += [(phantom_2d / item["image"], "train", 1, 32, 30, 4) for item in lists["training_abnormal"][1:]]
    wrong = phantom_2d / lists["training_abnormal"][0]["image"]
    rows += [(wrong, "train", 1, 1, 1, 1)]
    rows += [(phantom_2d / item["image"], "calibration", 0, "", "", "") for item in lists["calibration"]]
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    workflow = _workflow(tmp_path, tmp_path, spot_contrast=2.0)
    dataset = workflow.parser.get_parsed_content("train#dataset")
    assert wrong.stem not in [item["case"] for item in dataset.data]
    masks = [dataset[index][0]["mask"] for index in range(len(dataset))]
    assert len(masks) == len(lists["training"]) + 3
    assert all(not bool(mask.any()) for mask in masks[:-3])
    assert all(0 < int(mask.sum()) < 49 for mask in masks[-3:])  # bright spots of a circle of 49 pixels
    trainer = workflow.parser.get_parsed_content("train#trainer")
    trainer.run()
    assert (tmp_path / "model.pt").is_file()


def _mammogram(path: Path, film: np.ndarray, **tags: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    write_single(path, film, "MG", BitsStored=12, HighBit=11, **tags)


def test_a_mammogram_as_dicom_of_either_kind_and_from_either_side(
    phantom_2d: Path, first: Path, tmp_path: Path
) -> None:
    """Label on the film, MONOCHROME1, a window, a mirrored film: the same map each time, and none at the label."""
    x, y = np.meshgrid(np.arange(96), np.arange(80), indexing="ij")
    texture = np.random.default_rng(3).integers(0, 400, (96, 80))
    film = (np.hypot(x - 50, y) < 38) * (1500 + texture)
    film[4:12, 60:74] = 4095
    film = film.astype(np.uint16)
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    _mammogram(tmp_path / "in" / "plain.dcm", film)
    _mammogram(tmp_path / "in" / "window.dcm", film, **window)
    _mammogram(tmp_path / "in" / "inverted.dcm", 4095 - film, PhotometricInterpretation="MONOCHROME1")
    _mammogram(tmp_path / "in" / "mirrored.dcm", np.ascontiguousarray(film[:, ::-1]))
    out = tmp_path / "out"
    _workflow(tmp_path / "in", first, "inference smoke", output_dir=out, threshold=0.1).run()
    maps = {
        name: np.load(next(out.glob(f"{name}*/*_anomaly_map.npy")))
        for name in ("plain", "window", "inverted", "mirrored")
    }
    assert maps["plain"].shape == film.shape and maps["plain"].max() > 0
    for name, found in maps.items():
        expected = maps["plain"][:, ::-1] if name == "mirrored" else maps["plain"]
        np.testing.assert_allclose(found, expected, atol=2e-3, err_msg=name)
    image = np.load(next(out.glob("plain*/*_reconstruction.npy")))
    assert image.shape == film.shape
    with (out / "detections.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["case"].startswith("plain")]
    assert rows and float(rows[0]["x_mm"]) != float(rows[0]["x"])
    assert not any(60 <= float(row["x"]) < 74 and 4 <= float(row["y"]) < 12 for row in rows)


def test_a_film_without_a_breast_is_named(first: Path, tmp_path: Path) -> None:
    _mammogram(tmp_path / "in" / "film.dcm", np.zeros((40, 30), dtype=np.uint16))
    with fails_with(CohortError, "1 of 1 cases failed"):
        _workflow(tmp_path / "in", first, "inference smoke", output_dir=tmp_path / "out", threshold=0.1).run()
    assert "film" in (tmp_path / "out" / "failures.csv").read_text()
