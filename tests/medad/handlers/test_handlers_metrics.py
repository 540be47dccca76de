# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from medad.handlers import MetricsHandler, ScoreTable
from medad.handlers import metrics as metrics_module

COST = ("seconds_per_case", "peak_memory_mb")


def make_cases(dims: int = 2) -> list[dict[str, Any]]:
    """A set ``brain`` with masks, but for one abnormal image, and a set ``chest`` without any."""
    generator = torch.Generator().manual_seed(dims)
    cases = []
    for name, with_masks in (("brain", True), ("chest", False)):
        for i in range(12):
            x = torch.rand(1, *(8,) * dims, generator=generator)
            label = i % 2
            case = {"case": f"{name}_{i}", "subject_id": f"{name}/{i // 4}", "dataset": name, "label": label}
            case |= {"anomaly_map": x, "anomaly_score": float(x.mean()), "p_value": 0.5, "decision": int(i % 3 == 0)}
            case["pred"] = (x > 0.8).to(torch.uint8)
            if with_masks and i != 5:
                mask = torch.zeros_like(x, dtype=torch.uint8)
                mask[:, 2:4, 2:4] = label
                case["mask"] = mask
            cases.append(case)
    return cases


def run(cases: list[dict[str, Any]], *handlers: Any) -> Engine:
    """Give the cases to handlers, five at a time."""
    engine = Engine(lambda engine, batch: batch)
    for handler in handlers:
        handler.attach(engine)
    batches = [cases[start : start + 5] for start in range(0, len(cases), 5)]

    @engine.on(Events.STARTED)
    def _prepare(engine: Engine) -> None:
        engine.state.device, engine.state.seconds_per_case = torch.device("cpu"), 0.5

    engine.run(batches or [[]])
    return engine


def measure(cases: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    run(cases, MetricsHandler(folder, bootstrap=200))
    content: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return {name: metric for name, metric in content.items() if name not in COST}


def without_dataset(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in case.items() if key != "dataset"} for case in cases]


@pytest.mark.parametrize("dims", [2, 3])
def test_everything_as_before_and_each_set_as_if_alone(dims: int, tmp_path: Path) -> None:
    cases = make_cases(dims)
    found = measure(cases, tmp_path)
    datasets = found.pop("datasets")
    assert list(datasets) == ["brain", "chest"]
    assert found == measure(without_dataset(cases), tmp_path)
    for name in datasets:
        alone = [case for case in cases if case["dataset"] == name]
        assert datasets[name] == measure(without_dataset(alone), tmp_path)
    assert datasets["brain"] != datasets["chest"]


def test_a_set_without_masks_has_no_pixel_metrics_and_says_why(tmp_path: Path) -> None:
    datasets = measure(make_cases(), tmp_path)["datasets"]
    brain, chest = datasets["brain"], datasets["chest"]
    for name in ("pixel_auroc", "pixel_ap", "oracle_dice", "dice", "lesion_sensitivity"):
        assert brain[name]["value"] is not None
        assert chest[name]["value"] is None and chest[name]["reason"]
    # the label comes from the record, and the abnormal image without a mask counts as an image only
    for counts in (brain["n"], chest["n"]):
        assert (counts["normal"], counts["abnormal"], counts["subjects"]) == (6, 6, 3)
    assert (brain["n"]["lesions"], chest["n"]["lesions"]) == (5, 0)
    assert (brain["n"]["voxels"], chest["n"]["voxels"]) == (11 * 64, 6 * 64)
    assert chest["image_auroc"]["value"] is not None and chest["image_auroc"]["low"] is not None
    assert chest["pixel_false_positive_rate"]["value"] is not None  # of its normal images all pixels are known


def test_a_single_data_set_is_as_it_was(tmp_path: Path) -> None:
    engine = run(without_dataset(make_cases()), MetricsHandler(tmp_path, bootstrap=50), ScoreTable(tmp_path))
    assert "datasets" not in engine.state.report
    assert (tmp_path / "scores.csv").read_text().splitlines()[0] == "case,score,p_value,decision,note,source"
    assert measure([], tmp_path)["n"]["images"] == 0


def test_ranks_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two ranks meets one data set only; what it would send is what a rank of its own sends."""
    cases = make_cases()
    rank = [[case for i, case in enumerate(cases) if (i % 2 and case["dataset"] == "chest") == bool(r)] for r in (0, 1)]
    sent: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(metrics_module.idist, "all_gather", lambda value: [sent.append(value), value][1:])
        run(rank[1], MetricsHandler(tmp_path, bootstrap=50))
    theirs = iter(sent)
    with monkeypatch.context() as patch:
        patch.setattr(metrics_module.idist, "all_gather", lambda value: [value, next(theirs)])
        together = report_of(rank[0], tmp_path)
    assert len(rank[1]) == 6 and set(sent[0]) == {"chest"}
    assert together == report_of(cases, tmp_path)


def report_of(cases: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = run(cases, MetricsHandler(folder, bootstrap=50)).state.report
    return {name: metric for name, metric in report.items() if name not in COST}


def test_a_data_set_may_have_any_name(tmp_path: Path) -> None:
    cases = [{**case, "dataset": {"brain": "value", "chest": "n"}[case["dataset"]]} for case in make_cases()]
    engine = run(cases, MetricsHandler(tmp_path, bootstrap=0))
    assert set(engine.state.report["datasets"]) == {"value", "n"}
    assert "datasets" not in engine.state.metrics
