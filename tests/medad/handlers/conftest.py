# SPDX-License-Identifier: Apache-2.0
"""What handlers meet: a bundle, its calibration, judged cases, and results of DICOM images."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from medad.calibration import CalibrationBuilder, StoredCalibration
from medad.handlers import CaseSaver, DicomResults
from medad.loading import CaseDataset
from medad.networks import weights_hash
from medad.transforms import LoadImageFiled
from monai.data import MetaTensor


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """What the handler reads of a bundle."""
    root = tmp_path / "bundle"
    (root / "configs").mkdir(parents=True)
    (root / "configs" / "metadata.json").write_text('{"name": "Toy - a test", "version": "1.2.3"}')
    torch.save({"weight": torch.zeros(2)}, root / "model.pt")
    return root


@pytest.fixture
def calibration(bundle: Path, tmp_path: Path) -> StoredCalibration:
    """A calibration of 40 normal images with the scores 0.0 to 0.39 and map values up to 1."""
    weights, path = bundle / "model.pt", tmp_path / "calibration.json"
    builder = CalibrationBuilder()
    for number in range(40):
        builder.update(number / 100, torch.linspace(0, 1, 1024).reshape(1, 32, 32), None, f"normal{number}")
    builder.build("d" * 64, weights_hash(weights)).save(path)
    return StoredCalibration(path, weights)


@pytest.fixture
def judged() -> Callable[..., list[dict[str, Any]]]:
    """Cases as a post-processing gives them, normal and abnormal ones in turn."""

    def make(dims: int = 2, count: int = 4) -> list[dict[str, Any]]:
        generator = torch.Generator().manual_seed(0)
        cases = []
        for number in range(count):
            image = MetaTensor(torch.rand(1, *(16,) * dims, generator=generator))
            mask = torch.zeros(image.shape, dtype=torch.uint8)
            mask[:, 4:8, 4:8] = number % 2
            case: dict[str, Any] = {"case": f"c{number}", "subject_id": f"s{number}", "label": number % 2}
            case |= {"image": image, "anomaly_map": image * 0.5 + 0.5 * mask, "mask": MetaTensor(mask)}
            case |= {"pred": (case["anomaly_map"] > 0.6).to(torch.uint8), "anomaly_score": 0.1 * number}
            cases.append({**case, "p_value": 0.5, "decision": int(number >= count // 2)})
        return cases

    return make


@pytest.fixture
def evaluate() -> Callable[..., Engine]:
    """Give cases to handlers, two at a time, as the evaluator of cohorts does; a resumed run leaves some out."""

    def run(
        cases: list[dict[str, Any]],
        *handlers: Any,
        failures: Sequence[dict[str, str]] = (),
        finished: Sequence[dict[str, Any]] = (),
    ) -> Engine:
        engine = Engine(lambda engine, batch: batch)
        data = [{"case": case["case"], "image": f"{case['case']}.png"} for case in (*finished, *cases)]
        left_out = {case["case"] for case in finished}
        engine.data_loader = SimpleNamespace(dataset=CaseDataset(data, dict), batch_size=2, finished=left_out)
        engine.state.failures = list(failures)
        for handler in handlers:
            handler.attach(engine)

        @engine.on(Events.STARTED)
        def _prepare(engine: Engine) -> None:
            engine.state.device, engine.state.seconds_per_case = torch.device("cpu"), 0.5

        engine.run([cases[start : start + 2] for start in range(0, len(cases), 2)] or [[]])
        return engine

    return run


@pytest.fixture
def result() -> Callable[..., dict[str, Any]]:
    """Make a case with a random map and mask on the grid of an image; nothing is marked in its third slice."""

    def make(source: Path, seed: int = 0, **changes: Any) -> dict[str, Any]:
        image = LoadImageFiled(keys="image")({"image": str(source)})["image"]
        generator = torch.Generator().manual_seed(seed)
        anomaly_map, mask = image.clone(), image.clone()
        anomaly_map.set_array(torch.rand(image.shape, generator=generator))
        marked = (torch.rand(image.shape, generator=generator) > 0.7).to(torch.uint8)
        if image.ndim == 4:
            marked[..., 2] = 0
        mask.set_array(marked)
        case = {"case": "c", "anomaly_map": anomaly_map, "pred": mask, **changes}
        return {key: value for key, value in case.items() if value is not None}

    return make


@pytest.fixture
def save(bundle: Path, result: Callable[..., dict[str, Any]], tmp_path: Path) -> Callable[..., Path]:
    """Save a random result of an image as the case ``c`` and return its folder."""

    def run(source: Path, wanted: bool | str = True, out: str = "out", seed: int = 0, **changes: Any) -> Path:
        dicom = DicomResults(wanted, bundle, bundle / "model.pt")
        saver = CaseSaver(tmp_path / out, map_white=0.5, dicom=dicom, pred_name=changes.pop("pred_name", "mask"))
        engine = SimpleNamespace(state=SimpleNamespace(output=[result(source, seed, **changes)], failures=[]))
        saver(engine)
        if engine.state.failures:
            raise AssertionError(engine.state.failures)
        return tmp_path / out / "c"

    return run
