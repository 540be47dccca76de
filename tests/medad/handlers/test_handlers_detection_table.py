# SPDX-License-Identifier: Apache-2.0
import csv
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from medad.anomaly_map import Candidates
from medad.handlers import DetectionTable, detection_rows
from monai.data import MetaTensor

AFFINE = torch.tensor([[-0.5, 0.1, 0.0, 10.0], [0.0, -0.6, 0.2, 20.0], [0.1, 0.0, 2.0, -30.0], [0.0, 0.0, 0.0, 1.0]])


def candidates(points: list[list[float]], scores: list[float], dims: int = 2) -> Candidates:
    count = len(scores)
    means = torch.tensor(scores, dtype=torch.float64)
    centroids = torch.tensor(points, dtype=torch.float64).reshape(count, dims)
    return Candidates(centroids, torch.full((count,), 5, dtype=torch.int64), means, means + 1)


def make_case(name: str, points: list[list[float]], scores: list[float], dims: int = 2, **more: Any) -> dict[str, Any]:
    anomaly_map = MetaTensor(torch.zeros(1, *(12,) * dims), affine=AFFINE)
    found = candidates(points, scores, dims)
    case = {"case": name, "subject_id": name, "anomaly_map": anomaly_map, "anomaly_score": 0.5, "detections": found}
    return {**case, **more}


def run(batches: list[list[dict[str, Any]]], *handlers: Any) -> Engine:
    engine = Engine(lambda engine, batch: batch)
    for handler in handlers:
        handler.attach(engine)

    @engine.on(Events.STARTED)
    def _prepare(engine: Engine) -> None:
        engine.state.device, engine.state.seconds_per_case = torch.device("cpu"), 0.5

    engine.run(batches)
    return engine


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("dims", [2, 3])
def test_rows_have_voxels_and_the_place_in_the_world_of_the_file(dims: int) -> None:
    points = [[3.0, 4.5, 6.0][:dims], [0.0, 11.0, 2.25][:dims]]
    rows = detection_rows(make_case("a", points, [0.9, 0.25], dims))
    padded = np.array([[*point, 0.0][:3] for point in points])
    expected = nibabel.affines.apply_affine(AFFINE.numpy(), padded)
    for row, point, place, score in zip(rows, points, expected, (0.9, 0.25), strict=True):
        assert [float(row[name]) for name in "xyz"[:dims]] == point and ("z" in row) == (dims == 3)
        assert [float(row[f"{name}_mm"]) for name in "xyz"] == pytest.approx(place, abs=0.0051)
        assert (row["case"], float(row["score"]), row["size"]) == ("a", score, "5")


def test_the_table_grows_case_by_case_and_is_sorted_in_the_end(tmp_path: Path) -> None:
    lengths = []
    cases = [
        make_case("b", [[1, 2], [3, 4]], [0.8, 0.7]),
        make_case("c", [], []),
        {key: value for key, value in make_case("d", [], []).items() if key != "detections"},
        make_case("a", [[5, 6, 7]], [0.5], dims=3),
    ]
    table = DetectionTable(tmp_path)
    engine = Engine(lambda engine, batch: batch)
    table.attach(engine)
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: lengths.append(len(read(table.path))))
    engine.run([cases[:1], cases[1:3], cases[3:]])
    assert lengths == [2, 2, 3]
    assert [(row["case"], row["x"], row["z"]) for row in read(table.path)] == [
        ("a", "5.00", "7.00"),
        ("b", "1.00", ""),
        ("b", "3.00", ""),
    ]
    run([[make_case("b", [[9, 9]], [0.1])]], DetectionTable(tmp_path, resume=True))
    assert [(row["case"], row["x"]) for row in read(table.path)] == [("a", "5.00"), ("b", "9.00")]
    run([[make_case("b", [[9, 9]], [0.1])]], DetectionTable(tmp_path))
    assert len(read(table.path)) == 1
