# SPDX-License-Identifier: Apache-2.0
"""The handler of the report: which cases are chosen, on which scale, and what it says of the calibration."""

import io
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from ignite.engine import Engine
from medad.anomaly_map import Candidates
from medad.anomaly_map.file_grid import to_file_grid
from medad.calibration import StoredCalibration
from medad.handlers import ReportHandler, report
from medad.handlers.report import MAX_DETECTIONS, _marks, spread_over_scores
from medad.report import CaseRecord
from medad.transforms import FitToGridd, LoadImageFiled, case_preprocessing
from nibabel.orientations import axcodes2ornt, ornt_transform
from numpy.typing import NDArray
from PIL import Image


def test_highest_middle_and_lowest_score_of_each_label() -> None:
    records = [CaseRecord(f"{label}_{score}", score / 10, label) for label in (0, 1) for score in range(5)]
    records += [CaseRecord("unknown", 0.5)]
    chosen = [record.name for record in spread_over_scores(records)]
    assert chosen == ["1_4", "1_2", "1_0", "0_4", "0_2", "0_0", "unknown"]
    assert [record.name for record in spread_over_scores(records[:2])] == ["0_1", "0_0"]


@pytest.mark.parametrize(
    ("dims", "size", "radius"), [(2, 7, math.sqrt(7 / math.pi)), (3, 36, (27 / math.pi) ** (1 / 3))]
)
def test_detections_are_drawn_as_large_as_they_are(dims: int, size: int, radius: float) -> None:
    count = MAX_DETECTIONS + 2
    numbers = torch.linspace(1, 0, count)
    found = Candidates(torch.rand(count, dims), torch.full((count,), size), numbers, numbers)
    case = {"case": "a", "anomaly_map": torch.zeros(1, *(8,) * dims), "detections": found, "circles": []}
    truth, drawn = _marks(case)
    assert truth is None and drawn is not None and drawn.shape == (MAX_DETECTIONS, dims + 1)
    torch.testing.assert_close(drawn[:, :dims], found.centroids[:MAX_DETECTIONS].double())
    assert drawn[0, -1] == pytest.approx(radius)
    circles = [[1.0] * (dims + 1)]
    truth, drawn = _marks({"case": "a", "anomaly_map": case["anomaly_map"], "circles": circles})
    assert drawn is None and truth is not None and truth.tolist() == circles


@pytest.mark.parametrize("dims", [2, 3])
def test_the_page_says_what_cases_were_judged_by(
    dims: int, bundle: Path, calibration: StoredCalibration, judged: Any, evaluate: Callable[..., Any], tmp_path: Path
) -> None:
    handler = ReportHandler(tmp_path / "out", "Inference", bundle, calibration)
    evaluate(judged(dims), handler)
    page = (tmp_path / "out" / "report.html").read_text()
    assert str(calibration.weights_sha256)[:12] in page and str(calibration.file_sha256)[:12] in page
    assert "40" in page and "Toy - a test" in page
    assert handler.gallery.map_max == pytest.approx(4 * calibration.voxel_threshold())
    assert (tmp_path / "out" / "cases.png").stat().st_size > 1000


def test_the_page_says_in_one_sentence_what_the_rate_means(
    bundle: Path, calibration: StoredCalibration, judged: Any, evaluate: Callable[..., Any], tmp_path: Path
) -> None:
    for guarantee, said in (
        ("image", "Of 100 normal images like the 40 used here, each of another subject, on average at most 5 would"),
        ("any_image_of_subject", "Of 100 normal subjects like the 40 used here, on average at most 5 would"),
    ):
        stored = StoredCalibration(calibration.path, calibration.weights_path, guarantee=guarantee)
        evaluate(judged(), ReportHandler(tmp_path / guarantee, "Inference", bundle, stored))
        page = " ".join((tmp_path / guarantee / "report.html").read_text().split())
        assert said in page and stored.guarantee.p_value_is in page


def test_without_calibration_the_scale_is_the_given_one(
    bundle: Path, judged: Any, evaluate: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored = StoredCalibration(tmp_path / "none.json", bundle / "model.pt")
    handler = ReportHandler(tmp_path / "out", "Inference", bundle, stored, map_white=0.25)
    evaluate(judged(), handler)
    assert handler.gallery.map_max == 0.25
    assert "report without calibration: " in caplog.text


def test_a_continued_run_without_new_cases_leaves_the_report(
    bundle: Path, calibration: StoredCalibration, judged: Any, evaluate: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "out" / "report.html"
    evaluate(judged(count=1), ReportHandler(tmp_path / "out", "Inference", bundle, calibration))
    before = path.read_bytes()
    evaluate([], ReportHandler(tmp_path / "out", "Inference", bundle, calibration))
    assert path.read_bytes() == before
    failures = [{"case": "broken", "failure": "no pixels"}]
    evaluate([], ReportHandler(tmp_path / "out", "Inference", bundle, calibration), failures=failures)
    assert "no pixels" in path.read_text()


def test_notes_are_counted(
    bundle: Path, calibration: StoredCalibration, judged: Any, evaluate: Callable[..., Any], tmp_path: Path
) -> None:
    cases = judged(count=4)
    for case in cases[1:]:
        case["note"] = "Made from <slices>."
    evaluate(cases, ReportHandler(tmp_path / "out", "Inference", bundle, calibration))
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Read with care" in page and "Made from &lt;slices&gt;." in page and "3 cases" in page


class NetworkOfSlices:
    """What the engine of a 2D bundle has."""

    def attach(self, engine: Engine) -> None:
        engine.inferer = SimpleNamespace(spatial_dims=2)


def stored(tmp_path: Path, codes: str, depth: float) -> dict[str, Any]:
    """One head in a file of other axes, judged on the grid of that file."""
    i, j, k = np.indices((20, 24, 16))
    head = ((i - 10) / 8) ** 2 + ((j - 12) / 10) ** 2 + ((k - 8) / 7) ** 2 < 1
    volume = head * (100.0 + 7 * i + 3 * j + 11 * k)
    volume[13:16, 6:9, 9:12] += 200  # left, front, up
    lps = nibabel.Nifti1Image(volume.astype(np.float32), np.diag([-1.0, -1, depth, 1]))
    turn = ornt_transform(axcodes2ornt("LPS"), axcodes2ornt(codes))
    nibabel.save(lps.as_reoriented(turn), tmp_path / f"{codes}.nii.gz")
    preprocessing = case_preprocessing(1, 3, [FitToGridd("image", (24, 24, 24), keep_aspect=True)])
    item = preprocessing({"image": str(tmp_path / f"{codes}.nii.gz"), "case": "head"})
    image = to_file_grid(preprocessing)({"image": item["image"]})["image"]
    bright = LoadImageFiled("image")({"image": str(tmp_path / f"{codes}.nii.gz")})["image"]
    result = bright.clone()
    result.set_array((bright / bright.max()).as_tensor())
    found = (bright > 380).as_tensor()
    points = Candidates(found[0].nonzero().double().mean(dim=0)[None], torch.tensor([27]), torch.ones(1), torch.ones(1))
    case = {"case": "head", "image": image, "anomaly_map": result, "mask": found, "pred": (bright > 350).as_tensor()}
    return {**case, "detections": points, "anomaly_score": 0.5, "label": 1, "decision": 1, "p_value": 0.01}


@pytest.mark.parametrize(
    ("depth", "handlers", "planes"),
    [
        (1.0, [], ["Axial", "Coronal", "Sagittal"]),
        (4.0, [], ["Axial"] * 3),
        (1.0, [NetworkOfSlices()], ["Axial"] * 3),
    ],
)
def test_one_head_looks_the_same_however_it_is_stored(
    depth: float, handlers: list[Any], planes: list[str], bundle: Path, calibration: StoredCalibration,
    evaluate: Callable[..., Any], tmp_path: Path,
) -> None:  # fmt: skip
    seen = []
    for codes in ("LPS", "RAS", "LAS", "SPL", "PSR", "AIR"):
        handler = ReportHandler(tmp_path / codes, "Inference", bundle, calibration)
        evaluate([stored(tmp_path, codes, depth)], *handlers, handler)
        (record,) = handler.gallery.records()
        assert [view.plane for view in record.views] == planes
        seen.append([view.panels for view in record.views])
        assert (tmp_path / codes / "cases.png").read_bytes() and planes[1] in (
            tmp_path / codes / "report.html"
        ).read_text()
    for panels in seen[1:]:
        for view, expected in zip(panels, seen[0], strict=True):
            for name, jpeg in view.items():
                difference = decoded(jpeg).astype(int) - decoded(expected[name])
                assert np.abs(difference).max() <= (8 if name in ("input", "contours") else 0), name


def decoded(jpeg: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(jpeg)))


def test_picture_and_page_show_the_same_cases(
    bundle: Path, calibration: StoredCalibration, judged: Any, evaluate: Callable[..., Any], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    pictured: list[CaseRecord] = []
    save = report.save_contact_sheet
    monkeypatch.setattr(report, "save_contact_sheet", lambda path, rows: pictured.extend(rows) or save(path, rows))
    handler = ReportHandler(tmp_path / "out", "Inference", bundle, calibration, max_cases=4)
    evaluate(judged(count=40), handler)
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<article") == 4 and len(handler.gallery.records()) > 4
    assert len(pictured) == 4 and all(f"<h4>{record.name}</h4>" in page for record in pictured)
