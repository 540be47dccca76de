# SPDX-License-Identifier: Apache-2.0
"""The report: one well-formed, small, offline file without patient identifiers."""

import base64
import io
import re
from contextlib import nullcontext
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from medad.report import CalibrationSummary, CaseGallery, CaseRecord, CaseView, page, write_report
from medad.report.metric_names import METRIC_NAMES
from medad.report.panels import encode_jpeg
from PIL import Image

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>&amp;"
VOID = {"meta", "img", "br", "hr", "link", "input"}
SHA = {key: 64 * digit for key, digit in (("weights_sha256", "a"), ("config_sha256", "b"), ("calibration_sha256", "c"))}
PROVENANCE = {"bundle": "some_bundle", "version": "1.2.3", **SHA, "medad": "0.1.0", "monai": "1.6.1", "torch": "2.13.0"}
CALIBRATION = CalibrationSummary(np.linspace(0.1, 0.5, 40).tolist(), 0.48, 0.3, 0.05, 0.002, subjects=40)
METRICS = {
    **{name: {"value": 0.9, "low": 0.81, "high": 0.957} for name in METRIC_NAMES},
    "image_auroc": {"value": None, "low": None, "high": None, "reason": "no normal images"},
    "lesion_sensitivity_by_size": [{"low": 0, "high": 10, "n": 3, "value": 0.5}],
    "n": {"images": 8},
}


class Balance(HTMLParser):
    """Checks that tags are balanced, and collects elements with their attributes, text and addresses."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, ...]] = []
        self.text: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.feed(document)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, *(key for key, _ in attributes)))
        for key, value in attributes:
            assert not key.startswith("on")
            if key in ("src", "href", "xlink:href", "action", "data"):
                self.addresses.append(value or "")
            if key == "id":
                self.ids.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    def count(self, tag: str) -> int:
        return sum(seen == tag for seen, *_ in self.seen)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))


def records(count: int = 8, *, labeled: bool = True, prefix: str = "Case") -> list[CaseRecord]:
    rng = np.random.default_rng(0)
    gallery = CaseGallery(24, map_max=1.0, panel_size=32)
    for index in range(count):
        image = rng.random((1, 16, 16), dtype=np.float32)
        label = index % 2 if labeled else None
        gallery.add(
            CaseRecord(f"{prefix} {index}", 0.1 * index, label, 0.03, int(index > 4)),
            image=image,
            anomaly_map=image,
            reconstruction=image,
            mask=image > 0.9,
            truth=image > 0.8 if label else None,
        )
    return gallery.records()


def rows(count: int = 8, *, labeled: bool = True) -> list[dict[str, Any]]:
    return [
        {"case": f"file_{i}", "subject_id": f"SUBJECT-{i}", "anomaly_score": 0.1 * i, "p_value": 0.03,
         "decision": int(i > 4), "label": i % 2 if labeled else None}
        for i in range(count)
    ]  # fmt: skip


def report(path: Path, *, with_charts: bool = False, **change: Any) -> tuple[str, Balance]:
    """Write and check a report; charts take most of the time and are left out where they do not matter."""
    arguments = {
        "title": "A report",
        "cases": records(),
        "metrics": METRICS,
        "scores": rows(),
        "provenance": PROVENANCE,
        "calibration": CALIBRATION,
        **change,
    }
    with nullcontext() if with_charts else mock.patch.object(page, "draw_charts", return_value=[]):
        document = write_report(path / "report.html", **arguments).read_text(encoding="utf-8")
    return document, Balance(document)


def test_full_report(tmp_path: Path) -> None:
    document, parsed = report(tmp_path, with_charts=True)
    assert (
        "A report Research use only. Not a medical device. A report 8 cases" in parsed.words
    )  # title, notice, heading
    for text in (
        *PROVENANCE.values(),
        "8 cases: 4 normal, 4 abnormal",
        "0.810\u20130.957",
        "Chosen by rule",
        "called normal",
    ):
        assert text in parsed.words
    for heading in ("Summary", "Metrics", "Curves", "Cases", "How to read this report"):
        assert heading in parsed.words
    assert parsed.count("img") == 8 * 4
    assert parsed.count("svg") == 4
    assert parsed.count("article") == 8
    assert "prefers-color-scheme: dark" in document
    assert "@media print" in document


def test_nothing_comes_from_outside(tmp_path: Path) -> None:
    document, parsed = report(tmp_path, with_charts=True)
    assert not re.search(r"https?://|ftp://|//[a-z]+\.|url\((?!#)|@import", document)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & {tag for tag, *_ in parsed.seen}
    assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in parsed.addresses)
    assert "default-src 'none'" in document
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {a[1:] for a in parsed.addresses if a.startswith("#")} <= set(parsed.ids)


def test_pictures_decode(tmp_path: Path) -> None:
    _, parsed = report(tmp_path)
    for address in parsed.addresses:
        if address.startswith("data:"):
            with Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))) as picture:
                assert picture.size == (32, 32)


def with_text(path: Path, text: str) -> tuple[str, Balance]:
    """Write a report with a text in every place that takes one."""
    undefined = {"value": None, "reason": text}
    groups = {text: {"image_auroc": undefined, "n": {"normal": text, "abnormal": 0}}}
    sizes = [{"low": 0, "high": 10, "n": text, "value": 0.5, "unit": text}]
    return report(
        path,
        with_charts=True,
        title=text,
        cases=[replace(record, name=f"{text} {i}") for i, record in enumerate(records())],
        provenance={**PROVENANCE, "bundle": text, text: text, "command": text, "device": text},
        metrics={text: undefined, "image_auroc": undefined, "datasets": groups, "folds": groups,
                 "lesion_sensitivity_by_size": sizes},
        calibration=replace(CALIBRATION, datasets=(text,)),
        failures=[(text, text)],
    )  # fmt: skip


def test_every_text_is_escaped(tmp_path: Path) -> None:
    plain, expected = with_text(tmp_path, "t" * len(HOSTILE))
    hostile, parsed = with_text(tmp_path, HOSTILE)
    assert parsed.seen == expected.seen  # the same elements and attributes, whatever the text says
    assert "<script" not in hostile and "<img src=x" not in hostile
    assert parsed.words.count("<script>alert('x')</script>") >= 20  # shown as text
    assert plain.count("t 7") == hostile.count("&amp;amp; 7")  # the name of a case, and what its pictures show


def test_no_identifiers_and_no_paths(tmp_path: Path) -> None:
    document, parsed = report(
        tmp_path,
        failures=[("Case 9", "/data/SUBJECT-9/scan of SUBJECT-9.nii.gz: 3 channels found. Expected 1.")],
        provenance={
            **PROVENANCE,
            "patient_name": "Jane SUBJECT-1",
            "subject_id": "SUBJECT-2",
            "command": "python -m monai.bundle run --config_file configs/train.json --dataset_dir /data/SUBJECT-3",
        },
    )
    assert "SUBJECT" not in document
    assert "file_" not in document  # the column "case" of the scores is not printed
    assert "scan of" not in parsed.words
    assert "[file]: 3 channels found. Expected 1." in parsed.words
    assert "--config_file configs/train.json --dataset_dir [file]" in parsed.words


def test_undefined_metric_has_its_reason(tmp_path: Path) -> None:
    _, parsed = report(tmp_path)
    assert "Undefined: no normal images." in parsed.words
    assert re.search(r"Image AUROC n/a no normal images", parsed.words)  # the tile


def test_oracle_metrics_are_marked(tmp_path: Path) -> None:
    _, parsed = report(tmp_path, metrics={**METRICS, "oracle_other": {"value": 0.5}})
    assert parsed.words.count("oracle: uses the test labels") == 3


def test_unknown_metrics_are_shown_as_they_are(tmp_path: Path) -> None:
    _, parsed = report(tmp_path, metrics={"my_metric": {"value": 0.123456}, "plain": 7, "text": "no", "list": [1]})
    assert "my_metric 0.123" in parsed.words
    assert "plain 7.000" in parsed.words
    assert "not computed" not in parsed.words.split("Metrics")[1]


def test_several_data_sets(tmp_path: Path) -> None:
    none = {"value": None, "reason": "no masks"}
    datasets = {
        "brain": {"image_auroc": {"value": 0.75, "low": 0.5, "high": 0.875}, "n": {"normal": 3, "abnormal": 4}},
        HOSTILE: {"image_auroc": {"value": 0.25}, "pixel_ap": none, "n": {"normal": 1, "abnormal": 0}},
    }
    calibration = replace(CALIBRATION, datasets=("brain", HOSTILE))
    document, parsed = report(
        tmp_path, with_charts=True, metrics={**METRICS, "datasets": datasets}, calibration=calibration
    )
    assert "Data set Images Image AUROC" in parsed.words
    assert "brain 3 normal, 4 abnormal 0.750 0.500\u20130.875 n/a" in parsed.words
    assert "1 normal, 0 abnormal 0.250 n/a n/a n/a" in parsed.words and "<script>alert('x')</script>" in parsed.words
    assert "<script" not in document
    assert "cases of brain, " in parsed.words and "judged by those of their data set" in parsed.words
    assert "All data sets are drawn together" in parsed.words
    _, parsed = report(tmp_path, with_charts=True)
    assert "Data sets" not in parsed.words and "data set" not in parsed.words.split("Curves")[0]


def test_a_data_set_may_be_called_like_a_part_of_a_metric(tmp_path: Path) -> None:
    _, parsed = report(tmp_path, metrics={**METRICS, "datasets": {"value": {}, "reason": {}}})
    assert "value 0 normal, 0 abnormal" in parsed.words


def test_without_labels(tmp_path: Path) -> None:
    _, parsed = report(
        tmp_path,
        with_charts=True,
        cases=records(labeled=False),
        scores=rows(labeled=False),
        metrics=None,
        failures=[("Case 8", "constant image"), ("Case 9", "NaN")],
    )
    words = parsed.words
    assert "8 cases: truth unknown" in words
    assert "Called abnormal 3 at the calibrated threshold" in words
    assert "Called normal 5 at the calibrated threshold" in words
    assert "Failed 2" in words
    assert "2 cases gave no result" in words
    assert parsed.count("svg") == 1  # the histogram
    assert "ROC" not in words
    assert "Truth" not in words


def test_without_calibration_and_decisions(tmp_path: Path) -> None:
    scores = [{"score": str(0.1 * i), "label": "", "decision": ""} for i in range(8)]
    bare = [replace(r, label=None, p_value=None, decision=None) for r in records()]
    _, parsed = report(
        tmp_path, with_charts=True, cases=bare, scores=scores, metrics=None, calibration=None, provenance={}
    )
    assert "no p-values and no decisions" in parsed.words
    assert "Called abnormal n/a" in parsed.words
    assert "Calibration, SHA-256 not given" in parsed.words
    assert "p-value n/a" in parsed.words


def test_no_cases_at_all(tmp_path: Path) -> None:
    _, parsed = report(tmp_path, with_charts=True, cases=[], scores=[], metrics=None, calibration=None)
    assert "No cases" in parsed.words
    assert parsed.count("svg") == 0
    assert parsed.count("img") == 0


def test_it_says_what_rate_and_p_value_mean(tmp_path: Path) -> None:
    _, parsed = report(tmp_path)
    assert "The p-value is the share of calibration normals, counting the image itself" in parsed.words
    promised = replace(CALIBRATION, promise="Of 100 <normal> subjects at most 5.", p_value_is="the share of subjects")
    _, parsed = report(tmp_path, calibration=promised)
    assert "Of 100 <normal> subjects at most 5." in parsed.words
    assert "The p-value is the share of subjects. A small one means" in parsed.words


def test_size_limit_with_many_big_cases(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    jpeg = encode_jpeg(noise, quality=95)
    panels = dict.fromkeys(("input", "reconstruction", "anomaly_map", "contours"), jpeg)
    big = [
        CaseRecord(f"Case {i} " + "very long name " * 1000, float(i), label=i % 2, decision=1, views=[CaseView(panels)])
        for i in range(40)
    ]
    assert 40 * 4 * len(jpeg) > 20e6
    path = write_report(
        tmp_path / "report.html",
        title="t" * 10_000,
        cases=big,
        metrics=METRICS | {f"m{i}": {"value": None, "reason": "r" * 5000} for i in range(300)},
        scores=[{"score": i % 977, "label": i % 2} for i in range(20_000)],
        provenance={**PROVENANCE, "command": "x" * 100_000},
        failures=[(f"f{i}", "because " * 1000) for i in range(3000)],
        max_cases=40,
    )
    assert path.stat().st_size < page.MAX_BYTES
    parsed = Balance(path.read_text(encoding="utf-8"))
    shown = parsed.count("article")
    assert 10 < shown < 40
    assert f"{40 - shown} more were left out" in parsed.words
    assert "And 2800 more." in parsed.words
    assert {"Abnormal", "Normal"} <= set(parsed.words.split())


def test_further_views_are_left_out_before_cases_are(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (192, 192, 3), dtype=np.uint8)
    panels = dict.fromkeys(("input", "anomaly_map"), encode_jpeg(noise))
    views = [CaseView(panels, "Axial", index, 9) for index in (4, 7, 1)]
    for count, shown in ((4, 3), (12, 2), (24, 1)):
        cases = [CaseRecord(f"Case {i}", float(i), i % 2, views=views) for i in range(count)]
        _, parsed = report(tmp_path, cases=cases, scores=[{"score": i, "label": i % 2} for i in range(count)])
        assert parsed.count("article") == count and "left out" not in parsed.words
        assert parsed.words.count("slice 4 of 0") == count and parsed.words.count("slice 7 of 0") == count * (shown > 1)
        assert parsed.count("img") == 2 * count * shown


def test_max_cases(tmp_path: Path) -> None:
    _, parsed = report(tmp_path, max_cases=4)
    assert parsed.count("article") == 4
    assert "2 of 4 shown" in parsed.words


def test_report_does_not_depend_on_the_order_of_the_cases(tmp_path: Path) -> None:
    forward, _ = report(tmp_path)
    backward, _ = report(tmp_path, cases=records()[::-1])
    assert forward == backward


def test_volume_names_its_slices(tmp_path: Path) -> None:
    gallery = CaseGallery(1, map_max=1.0, panel_size=16)
    volume = np.zeros((1, 8, 8, 30), np.float32)
    volume[..., 12] = 1
    gallery.add(CaseRecord("v", 1.0), image=volume, anomaly_map=volume)
    _, parsed = report(tmp_path, cases=gallery.records(), scores=[{"anomaly_score": 1.0}], metrics=None)
    assert "Slice 12 of 0\u201329" in parsed.words
    assert parsed.count("img") == 3 * 2
    gallery = CaseGallery(1, map_max=1.0, panel_size=16)
    gallery.add(CaseRecord("v", 1.0), image=volume, anomaly_map=volume, affine=np.diag([1, -1, -1, 1]), oriented=True)
    document, parsed = report(tmp_path, cases=gallery.records(), scores=[{"anomaly_score": 1.0}], metrics=None)
    for title in ("Axial, slice 12 of 0\u201329", "Coronal, slice 0 of 0\u20137", "Sagittal, slice 7 of 0\u20137"):
        assert title in parsed.words and f'alt="v: Input, {title}"' in document


def test_mixed_color_scales_are_an_error_and_leave_no_file(tmp_path: Path) -> None:
    first, *others = records()
    with pytest.raises(ValueError, match="map_max"):
        report(tmp_path, cases=[replace(first, map_max=2.0), *others])
    assert list(tmp_path.iterdir()) == []


def test_file_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("old")
    document, _ = report(tmp_path)
    assert document.startswith("<!DOCTYPE html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_detections_have_a_curve_and_circles(tmp_path: Path) -> None:
    gallery = CaseGallery(2, map_max=1.0, panel_size=32)
    image = np.zeros((1, 16, 16), np.float32)
    arrays = {"image": image, "anomaly_map": image}
    gallery.add(CaseRecord("A", 0.5, 1), **arrays, circles=[[4, 4, 2]], detections=[[9, 9, 3]])
    gallery.add(CaseRecord("B", 0.4, 0), **arrays, mask=image, detections=[])
    value = {"value": 0.75, "low": 0.5, "high": 0.9}
    at_rates = [{"false_positives_per_image": rate, **value} for rate in (0.125, 1.0)]
    froc = {"mean_sensitivity": value, "sensitivity_at_false_positives": at_rates, "n": {"images": 2}}
    curve = [{"score": 0.9, "false_positives_per_image": 0.0, "sensitivity": 0.75}]
    _, parsed = report(
        tmp_path, with_charts=True, cases=gallery.records(), metrics={**METRICS, "froc": froc}, froc_curve=curve
    )
    for text in ("Free-response ROC", "Mean FROC sensitivity", "0.500\u20130.900", "Highest-scored detections"):
        assert text in parsed.words
    assert "Mask, truth and detections" in parsed.words and "Mask and detections" in parsed.words
    assert parsed.count("svg") == 5
    _, parsed = report(tmp_path, with_charts=True)
    assert "Free-response ROC" not in parsed.words and "Highest-scored" not in parsed.words


def test_folds_are_listed(tmp_path: Path) -> None:
    _, parsed = report(tmp_path, metrics={**METRICS, "folds": {"fold_1": METRICS, "fold_2": METRICS}})
    assert "Folds" in parsed.words and "fold_2 0 normal, 0 abnormal" in parsed.words
