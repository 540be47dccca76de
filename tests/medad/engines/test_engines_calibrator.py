# SPDX-License-Identifier: Apache-2.0
"""Calibration run: the file holds the scores of the normal images, of these weights, or there is no file."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from medad.calibration import Calibration, StoredCalibration, load_calibration
from medad.engines import Calibrator
from medad.engines.evaluator import CohortError
from medad.errors import InputError
from medad.inferers import ReconstructionInferer
from medad.loading import CaseDataset, CaseLoader
from medad.networks import weights_hash
from monai.data import MetaTensor
from monai.transforms import Compose
from ranks import on_ranks
from torch import nn

VALUES = (0.5, 0.125, 0.25)


def _items(values: tuple[float, ...] = VALUES, **entries: Any) -> list[dict[str, Any]]:
    return [
        {"image": f"c{i}.png", "case": f"c{i}", "subject_id": f"s{i}", "value": value, **entries}
        for i, value in enumerate(values)
    ]


def _load(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "image": MetaTensor(torch.full((1, 4, 4), item["value"]))}


def _score(case: dict[str, Any]) -> dict[str, Any]:
    return {**case, "anomaly_map": case["pred"][:1], "anomaly_score": case["pred"][:1].mean()}


def _halving() -> nn.Module:
    network = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(network.weight, 0.5)  # the map is half the image
    return network


def _calibrator(folder: Path, items: list[dict[str, Any]], load: Any = _load, **paths: Any) -> Calibrator:
    """Calibrate a network whose file, not its memory, has the weights that halve."""
    if not (folder / "model.pt").exists():
        torch.save(_halving().state_dict(), folder / "model.pt")
    paths = {"path": folder / "calibration.json", "weights_path": folder / "model.pt", **paths}
    return Calibrator(
        CaseLoader(CaseDataset(items, load), 2, 2),
        nn.Conv2d(1, 1, 1, bias=False),
        ReconstructionInferer(2),
        Compose([_score]),
        StoredCalibration(**paths),
        "cpu",
    )


def _calibrate(folder: Path, items: list[dict[str, Any]], load: Any = _load) -> Calibration:
    calibrator = _calibrator(folder, items, load)
    calibrator.run()
    return load_calibration(calibrator.path)


def test_the_file_holds_the_scores_of_the_cases(tmp_path: Path) -> None:
    calibration = _calibrate(tmp_path, _items())
    assert calibration.scores == (0.0625, 0.125, 0.25)
    assert (calibration.images, calibration.subjects, calibration.voxels, calibration.axes) == (3, 3, 48, (2,))
    assert calibration.weights_sha256 == weights_hash(tmp_path / "model.pt")
    assert calibration.voxel_threshold(0.4) == pytest.approx(0.125, rel=1e-4)  # a third of the voxels is above


def test_settings_of_the_pipeline_are_kept(tmp_path: Path) -> None:
    pipeline = (Compose([]), ReconstructionInferer(2), [], _halving())
    calibrator = _calibrator(tmp_path, _items(), pipeline=pipeline)
    calibrator.run()
    assert load_calibration(calibrator.path).settings == StoredCalibration(None, pipeline=pipeline).settings


def test_data_sets_have_calibrations_of_their_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    items = _items(dataset="one")
    items[1]["dataset"] = "two"
    with caplog.at_level("INFO"):
        calibration = _calibrate(tmp_path, items)
    scores = {name: group.scores for name, group in calibration.groups.items()}
    assert scores == {"one": (0.125, 0.25), "two": (0.0625,)}
    assert calibration.scores == (0.0625, 0.125, 0.25)
    assert "calibration of the data set one: 2 normal images of 2 subjects" in caplog.text
    assert "calibration: 3 normal images of 3 subjects" in caplog.text


@pytest.mark.parametrize(("count", "warns"), [(18, True), (19, False)])
def test_few_subjects_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture, count: int, warns: bool) -> None:
    _calibrate(tmp_path, _items(tuple(0.1 * (i + 1) for i in range(count))))
    assert ("18 normal images: too few to calibrate an image false-positive rate of 0.05" in caplog.text) == warns


def test_abnormal_images_are_refused(tmp_path: Path) -> None:
    items = _items(label=0)
    items[1]["label"] = 1
    with pytest.raises(InputError, match="1 of 3 images are abnormal"):
        _calibrator(tmp_path, items)


@pytest.mark.parametrize("missing", ["path", "weights_path"])
def test_a_file_and_weights_must_be_named(tmp_path: Path, missing: str) -> None:
    with pytest.raises(ValueError, match="name its file and the weights"):
        _calibrator(tmp_path, _items(), **{missing: None})


def test_an_image_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def load(item: dict[str, Any]) -> dict[str, Any]:
        if item["case"] == "c1":
            raise ValueError("torn")
        return _load(item)

    with pytest.raises(CohortError, match=r"1 of 3 cases failed.*c1: ValueError: torn"):
        _calibrate(tmp_path, _items(), load)
    assert [file.name for file in tmp_path.iterdir()] == ["model.pt"]


def test_without_weights_there_is_nothing_to_calibrate(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no weights there"):
        _calibrator(tmp_path, _items(), weights_path=tmp_path / "none.pt").run()


def test_two_ranks_write_what_one_does(tmp_path: Path) -> None:
    whole = _calibrate(tmp_path, _items())
    (tmp_path / "calibration.json").unlink()

    def work() -> None:
        dist.init_process_group("gloo")
        _calibrator(tmp_path, _items()).run()

    outcome = on_ranks(work, tmp_path / "said.log")
    assert not outcome.failed, outcome.said
    assert load_calibration(tmp_path / "calibration.json") == whole
