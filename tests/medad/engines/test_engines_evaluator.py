# SPDX-License-Identifier: Apache-2.0
"""Evaluation of a cohort: what fails stays with its case, and is raised when all is written."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Events
from medad.engines import AnomalyEvaluator
from medad.engines.evaluator import CohortError
from medad.errors import CalibrationError, InputError
from medad.inferers import ReconstructionInferer
from medad.loading import CaseDataset, CaseLoader
from monai.data import MetaTensor
from monai.transforms import Compose
from torch import nn


def _failing(where: str, error: Exception) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Make a step that fails for one case."""

    def step(case: dict[str, Any]) -> dict[str, Any]:
        if case["case"] == where:
            raise error
        return case

    return step


def _load(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "image": MetaTensor(torch.full((1, 4, 4), item["value"]))}


def _score(case: dict[str, Any]) -> dict[str, Any]:
    return {**case, "anomaly_map": case["pred"][:1], "anomaly_score": case["pred"][:1].mean()}


def _mask(case: dict[str, Any]) -> dict[str, Any]:
    return {**case, "pred": case["anomaly_map"] > 0.5}


def _evaluator(
    names: str, check: Any = None, postprocessing: Any = None, batch_size: int = 2
) -> tuple[AnomalyEvaluator, list[dict[str, Any]]]:
    """Evaluate images whose values are the number of their case; the cases that came through are listed."""
    items = [{"image": f"{name}.png", "case": name, "value": float(number)} for number, name in enumerate(names)]
    network = nn.Conv2d(1, 1, 1)
    nn.init.zeros_(network.weight), nn.init.zeros_(network.bias)  # the map is the image
    done: list[dict[str, Any]] = []
    evaluator = AnomalyEvaluator(
        "cpu",
        CaseLoader(CaseDataset(items, Compose([_load, *([check] if check else [])])), batch_size, 2),
        network,
        ReconstructionInferer(2),
        postprocessing or Compose([_score, _mask]),
    )
    evaluator.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: done.extend(engine.state.output))
    return evaluator, done


def test_every_case_has_its_own_result() -> None:
    evaluator, done = _evaluator("abc")
    evaluator.run(global_epoch=4)
    assert [(case["case"], float(case["anomaly_score"])) for case in done] == [("a", 0), ("b", 1), ("c", 2)]
    assert (evaluator.state.failures, evaluator.state.cases, evaluator.state.epoch) == ([], 3, 4)


@pytest.mark.parametrize("batch_size", [1, 2])  # alone, a case that cannot be read makes a batch without images
def test_the_others_go_on_when_a_case_fails(batch_size: int) -> None:
    unreadable = InputError("torn", where="b.png", expected="an image", remedy="Copy it again.")
    steps = Compose([_score, _failing("c", ZeroDivisionError("too flat")), _mask])
    evaluator, done = _evaluator("abcd", _failing("b", unreadable), steps, batch_size)
    ended = []
    evaluator.add_event_handler(Events.COMPLETED, lambda engine: ended.append(list(engine.state.failures)))
    with pytest.raises(CohortError) as raised:
        evaluator.run()
    torn = "b.png: torn. Expected an image. Copy it again."
    assert str(raised.value) == f"2 of 4 cases failed; see failures.csv. First: b: {torn}"
    failures = [{"case": "b", "failure": torn}, {"case": "c", "failure": "ZeroDivisionError: too flat"}]
    assert ended == [failures] and evaluator.state.cases == 4
    assert [case["case"] for case in done] == ["a", "d"]


def test_a_second_run_begins_anew() -> None:
    evaluator, done = _evaluator("ab", _failing("b", ValueError("no")))
    for _ in range(2):
        with pytest.raises(CohortError, match="1 of 2 cases failed"):
            evaluator.run()
    assert len(done) == 2


def test_without_calibration_a_case_keeps_map_and_score() -> None:
    uncalibrated = _failing("a", CalibrationError("none for a"))
    evaluator, done = _evaluator("ab", postprocessing=Compose([_score, uncalibrated, _mask]))
    ended = []
    evaluator.add_event_handler(Events.COMPLETED, lambda engine: ended.append(len(done)))
    with pytest.raises(CalibrationError, match="none for a"):
        evaluator.run()
    assert ended == [2] and evaluator.state.failures == []
    assert [case["pred"].dtype for case in done] == [torch.float32, torch.bool]  # the first has no mask
    assert all("anomaly_map" in case and "anomaly_score" in case for case in done)


def test_a_missing_calibration_is_more_than_a_failed_case() -> None:
    uncalibrated = _failing("a", CalibrationError("none"))
    evaluator, _ = _evaluator("ab", _failing("b", ValueError("no")), Compose([_score, uncalibrated, _mask]))
    with pytest.raises(CalibrationError):
        evaluator.run()
    assert len(evaluator.state.failures) == 1


def test_nothing_to_do_still_ends_as_a_run(caplog: pytest.LogCaptureFixture) -> None:
    evaluator, _ = _evaluator("")
    fired = []
    for event in (Events.STARTED, Events.EPOCH_STARTED, Events.EPOCH_COMPLETED, Events.COMPLETED):
        evaluator.add_event_handler(event, lambda engine, name=event.name: fired.append((name, engine.state.epoch)))
    with caplog.at_level("INFO"):
        evaluator.run(global_epoch=3)
    assert fired == [("STARTED", 3), ("EPOCH_STARTED", 3), ("EPOCH_COMPLETED", 3), ("COMPLETED", 3)]
    assert "nothing to do: every case is finished" in caplog.text


def test_seconds_are_those_of_one_case(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([10.0, 16.0, 20.0, 21.0, 30.0, 30.5])
    monkeypatch.setattr("medad.engines.evaluator.time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    # batches: two cases, one of two, the last one alone
    evaluator, _ = _evaluator("abcde", _failing("d", ValueError()), batch_size=2)
    seconds = []
    evaluator.add_event_handler(
        Events.ITERATION_COMPLETED, lambda engine: seconds.append(engine.state.seconds_per_case)
    )
    with pytest.raises(CohortError):
        evaluator.run()
    assert seconds == [3.0, 1.0, 0.5]


def test_all_ranks_raise_what_one_of_them_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator, _ = _evaluator("abc")
    other = (2, [{"case": "x", "failure": "lost"}], None)
    monkeypatch.setattr("ignite.distributed.all_gather", lambda outcome: [outcome, other])
    with pytest.raises(CohortError, match=r"^1 of 5 cases failed; see failures.csv. First: x: lost$"):
        evaluator.run()
    monkeypatch.setattr("ignite.distributed.all_gather", lambda outcome: [outcome, (2, [], CalibrationError("none"))])
    with pytest.raises(CalibrationError, match="none"):
        evaluator.run()


def test_images_of_other_shapes_in_a_batch_are_judged_apart() -> None:
    def grown(case: dict[str, Any]) -> dict[str, Any]:
        pages = {"b": (1, 4, 4, 2), "d": (1, 8, 4)}
        shape = pages.get(case["case"], case["image"].shape)
        return {**case, "image": MetaTensor(torch.full(shape, case["value"]))}

    evaluator, done = _evaluator("abcd", grown, batch_size=4)
    evaluator.run()
    assert {case["case"]: (tuple(case["image"].shape), float(case["anomaly_score"])) for case in done} == {
        "a": ((1, 4, 4), 0), "b": ((1, 4, 4, 2), 1), "c": ((1, 4, 4), 2), "d": ((1, 8, 4), 3)
    }  # fmt: skip
    assert evaluator.state.cases == 4 and len(evaluator.state.batch["cases"]) == 4


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), RuntimeError("x: can't allocate memory: y")]
)
def test_a_case_that_needs_too_much_memory_fails_alone(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    class Hungry(ReconstructionInferer):
        def __call__(self, inputs: torch.Tensor, network: nn.Module, **kwargs: Any) -> torch.Tensor:
            if len(inputs) > 1 or inputs.max() == 1:
                raise error
            return super().__call__(inputs, network)

    evaluator, done = _evaluator("abcd", batch_size=3)
    evaluator.inferer = Hungry(2)
    with pytest.raises(
        CohortError, match=r"1 of 4 cases failed.*b: an image of shape \(1, 4, 4\) .* more memory than cpu"
    ):
        evaluator.run()
    assert [case["case"] for case in done] == ["a", "c", "d"]
    assert "too little memory for 3 images at once: one by one" in caplog.text


def test_another_error_of_the_network_ends_the_run() -> None:
    class Broken(ReconstructionInferer):
        def __call__(self, inputs: torch.Tensor, network: nn.Module, **kwargs: Any) -> torch.Tensor:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    evaluator, _ = _evaluator("ab")
    evaluator.inferer = Broken(2)
    with pytest.raises(RuntimeError, match="mat1"):
        evaluator.run()
