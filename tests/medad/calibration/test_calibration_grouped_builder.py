# SPDX-License-Identifier: Apache-2.0
"""One calibration per data set beside the one over all: how they are built, stored and chosen."""

import copy
import dataclasses
import json
import logging
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from medad.calibration import (
    Calibrated,
    CalibrationBuilder,
    GroupedCalibrationBuilder,
    HeatmapPredd,
    ScoreBinPredd,
    StoredCalibration,
    Thresholdd,
    data_hash,
    images_per_subject,
    load_calibration,
)
from medad.errors import CalibrationError

SCALE = {"dark": 0.1, "bright": 1.0}
COUNT = {"dark": 30, "bright": 50}


def make_cases(*shape: int) -> list[dict[str, Any]]:
    """Normal cases of two data sets that differ in brightness; the first subject of each has two images."""
    generator = torch.Generator().manual_seed(0)
    cases = []
    for name, count in COUNT.items():
        for i in range(count):
            x = SCALE[name] * torch.rand(1, *shape, generator=generator)
            subject, case = f"{name}/{max(i, 1)}", f"{name}_{i}"
            item = {"image": f"{case}.png", "case": case, "subject_id": subject, "dataset": name}
            cases.append({**item, "anomaly_map": x, "anomaly_score": x.mean()})
    return cases


def build(cases: list[dict[str, Any]]) -> GroupedCalibrationBuilder:
    builder = GroupedCalibrationBuilder(cases)
    for case in cases:
        builder.update(case)
    return builder


def plain_calibration(cases: list[dict[str, Any]]) -> dict[str, Any]:
    """What the builder of one data set makes of the cases: the reference."""
    builder = CalibrationBuilder(images_per_subject(cases))
    for case in cases:
        builder.update(case["anomaly_score"], case["anomaly_map"], None, case["subject_id"])
    return builder.build(data_hash(cases), "w" * 64, {"a": 1}).to_dict()


@pytest.fixture
def cases() -> list[dict[str, Any]]:
    return make_cases(16, 16)


@pytest.fixture
def path(cases: list[dict[str, Any]], tmp_path: Path) -> Path:
    build(cases).build("w" * 64).save(tmp_path / "calibration.json")
    return tmp_path / "calibration.json"


@pytest.mark.parametrize("shape", [(16, 16), (6, 5, 4)])
def test_the_pooled_one_is_as_it_was_and_each_set_as_if_alone(shape: tuple[int, ...]) -> None:
    cases = make_cases(*shape)
    calibration = build(cases).build("w" * 64, {"a": 1})
    content = calibration.to_dict()
    assert list(content.pop("groups")) == ["dark", "bright"]
    assert content == plain_calibration(cases)
    for name, count in COUNT.items():
        group, alone = calibration.groups[name], plain_calibration([case for case in cases if case["dataset"] == name])
        assert group.to_dict() == alone
        assert (group.images, group.subjects, sum(group.score_weights)) == (count, count - 1, pytest.approx(count))
        assert min(group.score_weights) == pytest.approx(max(group.score_weights) / 2)


def test_processes_are_merged(cases: list[dict[str, Any]]) -> None:
    """The second process meets no image of the second data set."""
    first, second = GroupedCalibrationBuilder(cases), GroupedCalibrationBuilder(cases)
    for index, case in enumerate(cases):
        (second if index % 2 and case["dataset"] == "dark" else first).update(case)
    joined, rest = pickle.loads(pickle.dumps((first, second)))
    joined.merge(rest)
    merged, whole = joined.build("w" * 64), build(cases).build("w" * 64)
    for one, other in ((merged, whole), *((merged.groups[name], whole.groups[name]) for name in COUNT)):
        assert one.scores == other.scores and one.score_weights == other.score_weights
        assert one.voxel_thresholds == other.voxel_thresholds
    with pytest.raises(ValueError, match="came twice"):
        joined.merge(rest)


def test_without_datasets_there_are_no_groups(cases: list[dict[str, Any]]) -> None:
    bare = [{key: value for key, value in case.items() if key != "dataset"} for case in cases]
    calibration = build(bare).build("w" * 64, {"a": 1})
    assert calibration.groups == {} and calibration.to_dict() == plain_calibration(cases)


def test_every_set_needs_an_image(cases: list[dict[str, Any]]) -> None:
    builder = GroupedCalibrationBuilder(cases)
    builder.update(cases[0])
    with pytest.raises(CalibrationError, match="no normal image"):
        builder.build("w" * 64)


def test_file(cases: list[dict[str, Any]], path: Path) -> None:
    calibration = build(cases).build("w" * 64)
    assert load_calibration(path) == calibration
    content = json.loads(path.read_text())
    assert not {"weights_sha256", "settings", "format", "medad_version"} & set(content["groups"]["dark"])
    del content["groups"]  # a file as older versions write it
    path.write_text(json.dumps(content))
    assert load_calibration(path) == dataclasses.replace(calibration, groups={})


def test_broken_groups(path: Path) -> None:
    content = json.loads(path.read_text())
    dark = content["groups"]["dark"]
    calibration = load_calibration(path)
    short = {key: value for key, value in dark.items() if key != "scores"}
    broken: list[Any] = [[dark], {"": dark}, {"dark": short}, {"dark": 3}, {"dark": {**dark, "scores": 3}}]
    for number, groups in enumerate(broken):
        path.write_text(json.dumps({**content, "groups": groups}))
        os.utime(path, ns=(number, number))
        with pytest.raises(CalibrationError, match=r"calibration\.json.*calibrate\.json again"):
            load_calibration(path)
    for groups in ({"bright": calibration.groups["dark"]}, {"": calibration}):
        with pytest.raises(ValueError, match="groups"):
            dataclasses.replace(calibration, groups=groups)


def test_a_case_is_judged_by_its_own_data_set(path: Path) -> None:
    calibration = load_calibration(path)
    judge = copy.deepcopy(Calibrated(StoredCalibration(path, image_false_positive_rate=0.05)))
    for score in np.linspace(0, 1, 41):
        for name, own in {**calibration.groups, "other": calibration, None: calibration}.items():
            case = judge({"anomaly_score": score} | ({"dataset": name} if name else {}))
            assert (case["p_value"], case["decision"]) == (own.p_value(score), own.decision(score, 0.05))
    usual_of_bright = 0.5
    decisions = [judge({"anomaly_score": usual_of_bright, "dataset": name})["decision"] for name in ("dark", "bright")]
    assert decisions == [1, 0]


def test_masks_have_the_threshold_of_their_data_set(path: Path) -> None:
    calibration = load_calibration(path)
    x = torch.linspace(0, 1.2, 400).reshape(1, 20, 20)
    for name, own in {**calibration.groups, "other": calibration, None: calibration}.items():
        case = {"anomaly_map": x} | ({"dataset": name} if name else {})
        threshold = own.voxel_threshold(0.002)
        mask = (x > threshold).to(torch.uint8)
        assert 0 < mask.sum() < mask.numel()
        assert torch.equal(Thresholdd(StoredCalibration(path))(case)["pred"], mask)
        assert torch.equal((HeatmapPredd(StoredCalibration(path))(case)["pred"] > 127).to(torch.uint8), mask)
        bins = ScoreBinPredd(StoredCalibration(path), rates=(0.05, 0.02))(case)["pred"]
        assert torch.equal(bins, sum((x > own.voxel_threshold(r)).to(torch.uint8) for r in (0.05, 0.02)))
        assert torch.equal(Thresholdd(StoredCalibration(path, threshold=0.3))(case)["pred"], (x > 0.3).to(torch.uint8))


def test_the_pooled_one_is_never_taken_in_silence(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    judge = Calibrated(StoredCalibration(path))
    with caplog.at_level(logging.WARNING, "medad"):
        for _ in range(3):
            for name in COUNT:
                judge({"anomaly_score": 0.1, "dataset": name})
        assert not caplog.records
        assert judge({"anomaly_score": 0.1, "dataset": "dark"})["note"] == ""
        assert "this case is of liver" in judge({"anomaly_score": 0.1, "dataset": "liver"})["note"]
        for _ in range(3):
            judge({"anomaly_score": 0.1, "dataset": "liver"})
            judge({"anomaly_score": 0.1})
    assert [record.getMessage().split("this case is of ")[1].split(":")[0] for record in caplog.records] == [
        "liver",
        "none",
    ]


def test_a_set_with_too_few_images_says_so(path: Path) -> None:
    case = {"anomaly_score": 0.1, "dataset": "dark", "anomaly_map": torch.rand(1, 4, 4)}
    with pytest.raises(CalibrationError, match=r"data set dark: 30 normal images cannot support"):
        Calibrated(StoredCalibration(path, image_false_positive_rate=0.02))(case)
    assert (
        Calibrated(StoredCalibration(path, image_false_positive_rate=0.02))({**case, "dataset": "bright"})["decision"]
        == 0
    )
    with pytest.raises(CalibrationError, match=r"data set dark: \d+ effective voxels"):
        Thresholdd(StoredCalibration(path, voxel_false_positive_rate=1e-5))(case)
