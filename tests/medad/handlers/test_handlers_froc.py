# SPDX-License-Identifier: Apache-2.0
import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from medad.anomaly_map import Candidates
from medad.errors import InputError
from medad.handlers import MetricsHandler, detection_record
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


def box(dims: int, *starts: int) -> torch.Tensor:
    """Mask with a lesion of three voxels a side at each start."""
    mask = torch.zeros(1, *(12,) * dims, dtype=torch.uint8)
    for start in starts:
        mask[(0, *(slice(start, start + 3),) * dims)] = 1
    return mask


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
def test_detections_hit_components_or_circles(dims: int, caplog: pytest.LogCaptureFixture) -> None:
    points = [[2.0] * dims, [8.4] * dims, [2.4] * dims, [6.0] * dims]
    scores = [0.4, 0.9, 0.6, 0.3]
    mask = box(dims, 1, 8)
    record = detection_record(make_case("a", points, scores, dims, label=1, mask=mask))
    assert record is not None and record.subject_id == "a"
    assert record.lesion_scores.tolist() == [0.6, 0.9] and record.false_positive_scores.tolist() == [0.3]
    near = detection_record(make_case("a", points, scores, dims, label=1, mask=mask), slack=2 * math.sqrt(dims))
    assert near is not None and not len(near.false_positive_scores)

    circles = [[2.0] * dims + [0.5], [11.0] * dims + [1.0]]  # rows as JSON holds them; they come before the mask
    drawn = detection_record(make_case("a", points, scores, dims, label=1, mask=mask, circles=circles))
    assert drawn is not None and drawn.lesion_scores.tolist() == [0.4, -math.inf]
    assert sorted(drawn.false_positive_scores.tolist()) == [0.3, 0.6, 0.9]
    slack = 0.4 * math.sqrt(dims)
    wider = detection_record(make_case("a", points, scores, dims, label=1, circles=circles), slack)
    assert wider is not None and wider.lesion_scores.tolist() == [0.6, -math.inf]

    for normal in ({"label": 0}, {"label": 0, "mask": box(dims)}, {"label": 0, "circles": []}, {"mask": box(dims)}):
        record = detection_record(make_case("n", points, scores, dims, **normal))
        assert record is not None and not len(record.lesion_scores) and len(record.false_positive_scores) == 4
    assert detection_record(make_case("u", points, scores, dims)) is None
    assert not caplog.records
    for unlocalized in ({"label": 1}, {"label": 1, "mask": box(dims)}, {"label": 1, "circles": []}):
        assert detection_record(make_case("film 7", points, scores, dims, **unlocalized)) is None
        assert "film 7: abnormal, but nothing is localized" in caplog.records.pop().message


@pytest.mark.parametrize("circles", [[[1.0, 2.0]], [[1.0, 2.0, -1.0]], [[1.0, 2.0, math.nan]], "12", [1.0, 2.0, 3.0]])
def test_circles_of_another_form_are_refused(circles: Any) -> None:
    with pytest.raises(InputError, match=r"a: circles .*rows of x, y, radius in voxels"):
        detection_record(make_case("a", [[1, 1]], [0.5], label=1, circles=circles))


def cohort() -> list[dict[str, Any]]:
    """Films of two data sets with one to four detections; some lesions are missed, one film has no localization."""
    generator = torch.Generator().manual_seed(1)
    cases = []
    for index in range(24):
        count = 1 + index % 4
        points = (11 * torch.rand(count, 2, generator=generator)).tolist()
        scores = (torch.rand(count, generator=generator) * 8).round().div(8).tolist()
        label = index % 2
        more: dict[str, Any] = {"label": label, "dataset": "ab"[index % 3 == 0], "decision": label}
        if label:
            more |= {"mask": box(2, 1, 7)} if index % 4 == 1 else {"circles": [[3.0, 3.0, 2.5], [8.0, 6.0, 3.0]]}
        cases.append(make_case(f"c{index}", points, scores, **more))
    cases.append(make_case("unlocalized", [[1, 1]], [2.0], label=1, dataset="a"))
    return cases


def test_froc_of_a_run(tmp_path: Path) -> None:
    cases = cohort()
    handler = MetricsHandler(tmp_path, bootstrap=100)
    engine = run([cases[:7], cases[7:]], handler)
    found: dict[str, Any] = json.loads((tmp_path / "metrics.json").read_text())
    assert found["froc"]["n"] == {"images": 24, "normal": 12, "subjects": 24, "lesions": 24}
    table = read(tmp_path / "froc.csv")
    # one threshold after the other: a lesion is found if one of its hits scores at least as high
    best: list[float] = []
    false: list[float] = []
    for case in cases[:-1]:
        points, scores = case["detections"].centroids.tolist(), case["detections"].means.tolist()
        hits = np.zeros((len(points), 2), dtype=bool)
        for row, (x, y) in enumerate(points):
            if case["label"] and "circles" in case:
                hits[row] = [math.hypot(x - a, y - b) <= r for a, b, r in case["circles"]]
            elif case["label"]:
                hits[row] = [s <= min(round(x), round(y)) and max(round(x), round(y)) < s + 3 for s in (1, 7)]
        false += [score for score, hit in zip(scores, hits.any(1), strict=True) if not hit]
        best += [max(np.array(scores)[hits[:, i]], default=-1) for i in range(2) if case["label"]]
    thresholds = sorted({*false, *(score for score in best if score >= 0)}, reverse=True)
    assert [float(row["score"]) for row in table] == thresholds
    for row, threshold in zip(table, thresholds, strict=True):
        assert float(row["false_positives_per_image"]) == pytest.approx(sum(s >= threshold for s in false) / 24)
        assert float(row["sensitivity"]) == pytest.approx(sum(s >= threshold for s in best) / 24)
    curve = np.array([(0, 0), *((row["false_positives_per_image"], row["sensitivity"]) for row in table)], dtype=float)
    for entry in found["froc"]["sensitivity_at_false_positives"]:
        assert entry["value"] == pytest.approx(np.interp(entry["false_positives_per_image"], *curve.T))
        assert entry["low"] <= entry["value"] <= entry["high"]
    counts = [part["froc"]["n"]["images"] for part in found["datasets"].values()]
    assert counts == [16, 8]
    assert [dict(row) for row in table] == [{k: str(v) for k, v in row.items()} for row in engine.state.froc_curve]


def test_without_detections_or_lesions(tmp_path: Path) -> None:
    plain = [{key: value for key, value in case.items() if key != "detections"} for case in cohort()]
    engine = run([plain], MetricsHandler(tmp_path, bootstrap=0))
    assert "froc" not in engine.state.report and not (tmp_path / "froc.csv").exists()
    normal = [case for case in cohort() if not case["label"]]
    engine = run([normal], MetricsHandler(tmp_path, bootstrap=0))
    assert engine.state.report["froc"]["mean_sensitivity"]["reason"] == "no lesion in the images"
    assert read(tmp_path / "froc.csv") == [] and engine.state.froc_curve == []


def test_ranks_join_their_detections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases, halves = cohort(), ([], [])
    alone = run([cases], MetricsHandler(tmp_path, bootstrap=50)).state.report["froc"]
    for index, case in enumerate(cases):
        halves[index % 2].append(case)
    sent: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr("medad.handlers.metrics.idist.all_gather", lambda value: [sent.append(value), value][1:])
        run([halves[1]], MetricsHandler(tmp_path, bootstrap=50))
    theirs = iter(sent)
    with monkeypatch.context() as patch:
        patch.setattr("medad.handlers.metrics.idist.all_gather", lambda value: [value, next(theirs)])
        assert run([halves[0]], MetricsHandler(tmp_path, bootstrap=50)).state.report["froc"] == alone
