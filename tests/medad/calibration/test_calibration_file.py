# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest
from medad.calibration import Calibration, Guarantee, load_calibration
from medad.errors import CalibrationError

ANY = Guarantee.ANY_IMAGE_OF_SUBJECT


def make(*scores: float) -> Calibration:
    """Make a calibration of as many subjects."""
    return Calibration(
        scores=scores,
        score_weights=(1.0,) * len(scores),
        subjects=len(scores),
        voxels=2000,
        effective_voxels=1500.0,
        voxel_rates=(0.5, 0.1),
        voxel_thresholds=(0.1, 0.2),
        data_sha256="d" * 64,
        weights_sha256="e" * 64,
        medad_version="0.1.0",
    )


def test_file_round_trip(tmp_path: Path) -> None:
    calibration = dataclasses.replace(make(0.1 + 0.2, 1 / 3, 2.0), score_weights=(0.75, 0.75, 1.5), subjects=2)
    path = tmp_path / "models" / "calibration.json"
    calibration.save(path)
    assert load_calibration(path) == calibration
    assert list(path.parent.iterdir()) == [path]
    content = json.loads(path.read_text())
    assert content["images"] == 3 and content["subjects"] == 2 and content["approximate"] is True
    first = path.read_bytes()
    calibration.save(path)
    assert path.read_bytes() == first


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    make(1.0).save(path)
    first = load_calibration(path)
    assert load_calibration(path) is first
    make(1.0, 2.0).save(path)
    os.utime(path, ns=(1, 1))
    assert load_calibration(path).images == 2


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "calibration.json"
    make(1.0).save(path)
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        make(1.0, 2.0).save(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"nowhere\.json.*train\.json.*calibrate\.json.*--threshold"):
        load_calibration(tmp_path / "nowhere.json")


def test_broken_files(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    good = make(1.0, 2.0).to_dict()
    broken: list[Any] = [
        {**good, "format": "other"},
        {name: value for name, value in good.items() if name != "scores"},
        {**good, "scores": 3},
        {**good, "scores": [2.0, 1.0]},
        {**good, "scores": ["1.0", "2.0"]},
        {**good, "score_weights": [1.0]},
        [good],
    ]
    for number, text in enumerate(["", "{", *map(json.dumps, broken)]):
        path.write_text(text)
        os.utime(path, ns=(number, number))
        with pytest.raises(CalibrationError, match=r"calibration\.json.*calibrate\.json again"):
            load_calibration(path)


def test_a_file_of_before_gives_what_it_can_and_says_what_it_cannot(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    weights, maxima = (0.75, 0.75, 1.5), (2.0, 3.0)
    new = dataclasses.replace(make(1.0, 2.0, 3.0), score_weights=weights, subjects=2, subject_maxima=maxima)
    new.save(path)
    loaded = load_calibration(path)
    assert loaded == new and loaded.p_value(2.5, ANY) == pytest.approx(2 / 3)
    content = json.loads(path.read_text())
    del content["subject_maxima"]
    path.write_text(json.dumps(content))
    old = load_calibration(path)
    for guarantee in (Guarantee.IMAGE, Guarantee.ONE_IMAGE_OF_SUBJECT):
        assert [old.p_value(s, guarantee) for s in (1.5, 2.5)] == [new.p_value(s, guarantee) for s in (1.5, 2.5)]
    with pytest.raises(CalibrationError, match=r"any_image_of_subject\..*subject_maxima\. Run calibrate\.json"):
        old.decision(2.5, 0.5, ANY)
    make(1.0, 2.0).save(path)  # one image of each subject
    assert load_calibration(path).p_value(1.5, ANY) == pytest.approx(2 / 3)


MALFORMED: list[dict[str, Any]] = [
    {"weights_sha256": None},
    {"weights_sha256": 5},
    {"settings": None},
    {"settings": ["x"]},
    {"settings": "x"},
    {"subjects": "1"},
    {"voxels": None},
    {"effective_voxels": "many"},
    {"axes": 2},
    {"scores": [10**400], "score_weights": [1.0]},
    {"scores": None},
    {"scores": "1"},
    {"scores": [[1.0]]},
    {"scores": [float("nan")]},
    {"score_weights": [-1.0]},
    {"subject_maxima": [0.5]},
    {"subject_maxima": [1.0, 1.0]},
    {"subject_maxima": 1.0},
    {"subject_maxima": [None]},
    {"voxel_thresholds": [0.2, 0.1]},
    {"groups": 5},
    {"groups": {"a": 5}},
    {"groups": {"a": {"scores": []}}},
    {"format": "another"},
]


@pytest.mark.parametrize("change", MALFORMED, ids=str)
def test_a_malformed_file_is_one_error(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "calibration.json"
    make(1.0).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CalibrationError, match="cannot be read as a calibration"):
        load_calibration(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"5", b'"x"', b"\xff", b"[" * 100_000, b"{}"])
def test_what_is_no_calibration_is_one_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "calibration.json").write_bytes(content)
    with pytest.raises(CalibrationError, match="cannot be read as a calibration"):
        load_calibration(tmp_path / "calibration.json")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"voxel_rates": None}, "voxel_rates must not be None"),
        ({"subjects": True}, "subjects must not be True"),
        ({"voxels": 10**400}, "voxels must be a number of things, got a huge number"),
        ({"effective_voxels": float("nan")}, "effective_voxels must be a number of things, got nan"),
        ({"voxels": -1}, "voxels must be a number of things, got -1"),
        ({"scores": [10**400]}, "scores must hold finite numbers"),
        ({"axes": [7]}, "axes must be 2 and 3 at most"),
        ({"groups": ["a"]}, "groups must be a JSON object"),
        ({"groups": {"a": None}}, "a must be a JSON object, got None"),
        ({"groups": {"a": {}}}, "it has no entry subjects"),
    ],
)
def test_what_is_wrong_is_said_in_words(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    path = tmp_path / "calibration.json"
    make(0.1, 0.2).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CalibrationError, match=f"cannot be read as a calibration .*{told}") as caught:
        load_calibration(path)
    assert "Error" not in str(caught.value)
