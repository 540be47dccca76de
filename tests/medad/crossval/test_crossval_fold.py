# SPDX-License-Identifier: Apache-2.0
"""One fold: the order of its trainings, what they are given, and when it counts as finished."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from medad.crossval.fold import Fold, Recipe, fold_columns


class _Workflow:
    """Writes down that it has run."""

    def __init__(self, log: list[str], name: str) -> None:
        self.log, self.name = log, name

    def run(self) -> None:
        self.log.append(f"run {self.name}")

    def finalize(self) -> None:
        self.log.append(f"finalize {self.name}")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a fold opens and runs, in its order."""
    log: list[Any] = []

    def open_workflow(bundle: Path, base: str, overlays: list[str], given: dict[str, Any]) -> _Workflow:
        log.append((base, overlays, given))
        return _Workflow(log, given["output_dir"].name)

    monkeypatch.setattr("medad.crossval.fold.open_workflow", open_workflow)
    monkeypatch.setattr(Fold, "_test", lambda self, recipe, given: log.append(("test", recipe.overlays, given)))
    return log


def test_trainings_run_in_their_order_into_the_models_of_the_fold(tmp_path: Path, opened: list[Any]) -> None:
    fold = Fold(tmp_path, {"": {"training": [{"image": "a.png"}]}})
    recipe = Recipe(tmp_path / "bundle", ["smoke"], ["train", "train_classifier"], {"max_epochs": 2})
    fold.run(recipe)
    assert [entry for entry in opened if isinstance(entry, str)] == [
        "run train",
        "finalize train",
        "run train_classifier",
        "finalize train_classifier",
    ]
    first, second, test = (entry for entry in opened if isinstance(entry, tuple))
    assert first[:2] == ("train", ["smoke"]) and second[:2] == ("train", ["train_classifier", "smoke"])
    for _, _, given in (first, second, test):
        assert given["ckpt_path"] == tmp_path / "models" / "model.pt" and given["max_epochs"] == 2
        assert given["calibration_path"] == tmp_path / "models" / "calibration.json"
        assert json.loads(Path(given["dataset_dir"]).read_text()) == {"training": [{"image": "a.png"}]}
        assert given["resume"] is False
    assert test[2]["output_dir"] == fold.evaluation
    assert json.loads((tmp_path / "done.json").read_text()) == {"cases": 0, "failures": 0}


def test_an_interrupted_training_is_continued(tmp_path: Path, opened: list[Any]) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "training_state.pt").write_bytes(b"")
    Fold(tmp_path, {"": {}}).run(Recipe(tmp_path))
    (_, _, training), (_, _, test) = (entry for entry in opened if isinstance(entry, tuple))
    assert training["resume"] is True and test["resume"] is False


def test_data_sets_have_lists_of_their_own(tmp_path: Path, opened: list[Any]) -> None:
    Fold(tmp_path, {"brain": {"test": []}, "breast": {"test": [{"image": "b.png"}]}}).run(Recipe(tmp_path))
    paths = opened[0][2]["dataset_dir"]
    assert {name: json.loads(Path(path).read_text()) for name, path in paths.items()} == {
        "brain": {"test": []},
        "breast": {"test": [{"image": "b.png"}]},
    }


def test_a_fold_is_finished_when_all_its_files_are_there(tmp_path: Path) -> None:
    fold = Fold(tmp_path, {})
    fold.evaluation.mkdir()
    (tmp_path / "scores.csv").write_text("case,score\na,1\nb,2\n")
    torch.save({"raw": 3}, tmp_path / "metrics_state.pt")
    (fold.evaluation / "metrics.json").write_text('{"dice": 0.5}')
    (fold.evaluation / "a").mkdir()
    assert not fold.is_finished(maps=False)
    (tmp_path / "done.json").write_text("{}")
    assert fold.is_finished(maps=False) and not fold.is_finished(maps=True)  # the map of b is missing
    (fold.evaluation / "b").mkdir()
    assert fold.is_finished(maps=True)
    assert [row["case"] for row in fold.rows()] == ["a", "b"] and fold.failures() == []
    assert (fold.metrics(), fold.states()) == ({"dice": 0.5}, {"raw": 3})
    for path in (fold.evaluation / "metrics.json", tmp_path / "metrics_state.pt", tmp_path / "scores.csv"):
        content = path.read_bytes()
        path.unlink()
        assert not fold.is_finished(maps=False)
        path.write_bytes(content)


def test_the_data_set_has_a_column_where_there_are_several() -> None:
    scores = ("subject_id", "label", "score", "standardized_score", "p_value", "decision", "source")
    assert fold_columns([{"case": "a"}]) == ("case", *scores)
    assert fold_columns([{"case": "a"}, {"case": "b", "dataset": "x"}], "fold") == ("case", "fold", "dataset", *scores)
