# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from medad.calibration import StoredCalibration
from medad.errors import InputError
from medad.files import read_csv, write_csv
from medad.handlers import RunRecord
from medad.networks import NormativeAtlas
from torch import nn


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Start a run in the same folder with given values."""
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "model.pt")
    (tmp_path / "calibration.json").write_text("{}")
    for name in "abc":
        (tmp_path / f"{name}.png").write_text("")

    def start(
        calibration: str = "calibration.json",
        threshold: float | None = None,
        cases: str = "ab",
        finished: str = "",
        network: nn.Module = nn.Identity(),  # noqa: B008
        **options: Any,
    ) -> None:
        stored = StoredCalibration(tmp_path / calibration, tmp_path / "model.pt", threshold=threshold)
        engine = Engine(lambda engine, batch: None)
        data = [{"case": name, "image": str(tmp_path / f"{name}.png")} for name in cases]
        engine.data_loader = SimpleNamespace(dataset=SimpleNamespace(data=data), batch_size=4, finished=set(finished))
        engine.network = network
        RunRecord(tmp_path / "out", stored, {"pred_name": "mask"}, **options).attach(engine)
        engine.run([0])

    return start


def test_the_same_run_continues(run: Any, tmp_path: Path) -> None:
    run(threshold=0.1)
    first = (tmp_path / "out" / "run.json").read_bytes()
    run(threshold=0.1, resume=True)
    assert (tmp_path / "out" / "run.json").read_bytes() == first
    record = json.loads(first)
    hashes = {"weights_sha256", "calibration_sha256"}
    rates = {"image_false_positive_rate", "guarantee", "voxel_false_positive_rate", "threshold"}
    assert set(record) == hashes | rates | {
        "amp",
        "weights_hold_images",
        "score",
        "pred_name",
        "batch_size",
        "processes",
        "cases",
    }
    assert list(record["cases"]) == ["a", "b"] and record["batch_size"] == 4 and record["processes"] == 1
    assert str(tmp_path) not in first.decode()
    run(threshold=0.1, cases="abc", resume=True)
    assert list(json.loads((tmp_path / "out" / "run.json").read_text())["cases"]) == ["a", "b", "c"]


def test_it_says_when_the_weights_hold_images(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "out" / "run.json"
    for group_size, said in ((1, True), (5, False)):
        run(network=nn.Sequential(NormativeAtlas(2, 1, (8, 8), group_size=group_size)), overwrite=True)
        record = json.loads(path.read_text())
        assert record.pop("weights_hold_images") is said
    path.write_text(json.dumps(record))  # of a version that did not say so
    run(resume=True)


def test_weights_saved_again_are_the_same(run: Any, tmp_path: Path) -> None:
    run()
    torch.save(torch.load(tmp_path / "model.pt", weights_only=True), tmp_path / "model.pt")
    run(resume=True)


def test_another_run_is_refused(run: Any, tmp_path: Path) -> None:
    run(threshold=0.1)
    with pytest.raises(InputError, match=r"had threshold 0\.1; this one has threshold 0\.2"):
        run(threshold=0.2, resume=True)
    with pytest.raises(InputError, match=r"calibration_sha256 44136fa\w+; this one has calibration_sha256 None"):
        run(threshold=0.1, calibration="gone.json", resume=True)
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "model.pt")
    with pytest.raises(InputError, match="the earlier run had weights_sha256"):
        run(threshold=0.1, resume=True)
    run(overwrite=True, threshold=0.2)
    run(threshold=0.2, resume=True)


def test_a_folder_that_holds_a_run_is_refused(run: Any, tmp_path: Path) -> None:
    run()
    first = (tmp_path / "out" / "run.json").read_bytes()
    with pytest.raises(InputError, match=r"out: it holds the results of a run with 2 cases\. .*overwrite.*resume"):
        run(cases="abc")
    assert (tmp_path / "out" / "run.json").read_bytes() == first
    for given in ({"resume": True, "overwrite": True}, {"overwrite": "false"}):
        with pytest.raises(InputError, match="given"):
            run(**given)


def test_what_is_replaced_is_removed_and_nothing_else(run: Any, tmp_path: Path) -> None:
    run(cases="abc")
    out, kept = tmp_path / "out", tmp_path / "out" / "b" / "notes.txt"
    for name in ("a", "b"):
        (out / name).mkdir()
        (out / name / f"{name}_mask.png").write_text("")
    kept.write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "c_mask.png").write_text("")
    (out / "c").symlink_to(tmp_path / "elsewhere")
    for name in ("scores.csv", "failures.csv", "metrics.json", "report.html", "cases.png", "other.csv"):
        (out / name).write_text("old")
    run(overwrite=True, cases="a")
    assert {path.name for path in out.iterdir()} == {"run.json", "b", "c", "other.csv"}
    assert kept.read_text() == "mine" and (tmp_path / "elsewhere" / "c_mask.png").exists()


@pytest.mark.parametrize("name", ["..", ".", "../elsewhere", "/etc", ""])
def test_a_record_never_leads_out_of_its_folder(run: Any, tmp_path: Path, name: str) -> None:
    run()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "elsewhere_x").write_text("")
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    (tmp_path / "out" / "run.json").write_text(json.dumps({**record, "cases": {name: "0"}}))
    before = sorted(tmp_path.iterdir())
    run(overwrite=True)
    assert sorted(tmp_path.iterdir()) == before and (tmp_path / "elsewhere" / "elsewhere_x").exists()


def test_cases_that_are_done_again_are_forgotten_first(run: Any, tmp_path: Path) -> None:
    """Their files may have changed: a kill before they are done must not leave an old score beside a new record."""
    run()
    out = tmp_path / "out"
    for name in ("scores.csv", "detections.csv"):
        write_csv(out / name, ("case", "score"), [{"case": case, "score": "1"} for case in "ab"])
    (out / "report.html").write_text("old")
    run(resume=True, finished="ab")
    assert (out / "report.html").exists()
    run(resume=True, finished="b")
    assert not (out / "report.html").exists()
    assert [[row["case"] for row in read_csv(out / name)] for name in ("scores.csv", "detections.csv")] == [["b"]] * 2


def test_nothing_of_somebody_else_is_replaced(run: Any, tmp_path: Path) -> None:
    """Results of a case take its folder: images or notes that lie in one of that name would be gone."""
    out = tmp_path / "out"
    (out / "a").mkdir(parents=True)
    (out / "a" / "IMG0001.dcm").write_text("mine")
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"in the place of results: a\. .*Choose another output_dir"):
        run()
    (out / "a").rename(out / "else")
    (out / "report.html").write_text("mine")
    with pytest.raises(InputError, match=r"in the place of results: report\.html"):
        run(case_folders=False)
    (out / "report.html").unlink()
    run()
    (out / "b").mkdir()
    (out / "b" / "b_mask.png").write_text("result")
    (out / "b" / "notes.txt").write_text("mine")
    write_csv(out / "scores.csv", ("case",), [{"case": "b"}])
    for option in ("resume", "overwrite"):
        with pytest.raises(InputError, match=r"in the place of results: b/notes\.txt"):
            run(**{option: True})
    assert read_csv(out / "scores.csv") == [{"case": "b"}] and (out / "b" / "b_mask.png").is_file()
    (out / "b" / "notes.txt").unlink()
    run(overwrite=True)
    assert not (out / "b").exists() and (out / "thesis.txt").is_file() and (out / "else" / "IMG0001.dcm").is_file()
