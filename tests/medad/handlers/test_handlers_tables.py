# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from medad.files import read_csv
from medad.handlers import FailureTable, ScoreTable


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


def without_dataset(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in case.items() if key != "dataset"} for case in cases]


def test_scores_name_the_data_set(tmp_path: Path) -> None:
    cases = make_cases()
    lines: list[int] = []
    table = ScoreTable(tmp_path)
    engine = Engine(lambda engine, batch: batch)
    table.attach(engine)
    engine.add_event_handler(
        Events.ITERATION_COMPLETED, lambda: lines.append(len((tmp_path / "scores.csv").read_text().splitlines()))
    )
    engine.run([cases[:5], [], cases[5:13], cases[13:]])
    assert lines == [6, 6, 14, 25]  # rows are there as soon as a case is done
    rows = (tmp_path / "scores.csv").read_text().splitlines()
    assert rows[0] == "case,dataset,score,p_value,decision,note,source"
    assert [row.split(",")[:2] for row in rows[1:]] == sorted([case["case"], case["dataset"]] for case in cases)

    (tmp_path / "scores.csv").write_text("\n".join(rows[:5]) + "\n")
    run(cases[12:], ScoreTable(tmp_path, resume=True))
    resumed = (tmp_path / "scores.csv").read_text().splitlines()
    assert resumed == rows[:5] + [row for row in rows if row.startswith("chest")]


def test_cases_with_and_without_a_data_set_share_a_table(tmp_path: Path) -> None:
    cases = make_cases()
    (tmp_path / "scores.csv").write_text("case,score,p_value,decision,source\nold,0.5,,,old.png\n")
    run([*without_dataset(cases[:5]), *cases[5:7]], ScoreTable(tmp_path, resume=True))
    rows = [row.split(",") for row in (tmp_path / "scores.csv").read_text().splitlines()]
    assert all(len(row) == 7 for row in rows)
    assert {row[0]: row[1] for row in rows}["old"] == "" and {row[1] for row in rows[1:]} == {"", "brain"}


def test_a_rank_without_cases_still_writes_the_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"case": "brain_1", "dataset": "brain", "score": "1", "p_value": "", "decision": "", "source": "1.png"}
    monkeypatch.setattr("medad.handlers.tables.idist.all_gather", lambda rows: [rows, {"brain_1": row}])
    table = ScoreTable(tmp_path)
    engine = SimpleNamespace(state=SimpleNamespace(output=[]))
    table.start(engine)
    table.append(engine)
    table.finish(engine)
    assert (tmp_path / "scores.csv").read_text().splitlines()[1] == "brain_1,brain,1,,,,1.png"


def test_sources_stand_beside_scores_unless_tables_are_anonymous(tmp_path: Path) -> None:
    cases = [{**case, "source_file": f"x/M\udcfc {i}.png"} for i, case in enumerate(make_cases()[:2])]
    for anonymous in (False, True):
        run(cases, ScoreTable(tmp_path, anonymous=anonymous))
        text = (tmp_path / "scores.csv").read_text(encoding="utf-8")
        assert ("x/M\\udcfc 0.png" in text) != anonymous and ("source" in text) != anonymous
    engine = Engine(lambda engine, batch: batch)
    engine.state.failures = [{"case": "a", "failure": "/data/Jane Doe/a.png: 3 channels found. Expected 1."}]
    FailureTable(tmp_path, anonymous=True).attach(engine)
    engine.run([0])
    assert (tmp_path / "failures.csv").read_text() == "case,failure\na,[file]: 3 channels found. Expected 1.\n"


def test_notes_stand_beside_scores_without_paths(tmp_path: Path) -> None:
    first, second = make_cases()[:2]
    run([{**first, "note": "/data/Jane Doe/x.json: no file. Made from 5."}, second], ScoreTable(tmp_path))
    rows = read_csv(tmp_path / "scores.csv")
    assert [row["note"] for row in rows] == ["[file]: no file. Made from 5.", ""]


def test_failures_are_added_and_sorted_at_the_end(tmp_path: Path) -> None:
    """A long list is not written again for every case: 4,000 failures took a minute."""
    (tmp_path / "failures.csv").write_text("case,failure\nold,x\n")
    seen: list[list[str]] = []
    sizes: set[int] = set()

    def step(engine: Engine, batch: list[str]) -> None:
        engine.state.failures += [{"case": name, "failure": "no, \n image"} for name in batch]

    engine = Engine(step)
    engine.state.failures = []
    FailureTable(tmp_path).attach(engine)

    @engine.on(Events.ITERATION_COMPLETED)
    def _look() -> None:
        seen.append([row["case"] for row in read_csv(tmp_path / "failures.csv")])
        sizes.add((tmp_path / "failures.csv").stat().st_ino)

    engine.run([["c"], [], ["b", "a"]])
    assert seen == [["c"], ["c"], ["c", "b", "a"]] and len(sizes) == 1
    assert [row["case"] for row in read_csv(tmp_path / "failures.csv")] == ["a", "b", "c"]
