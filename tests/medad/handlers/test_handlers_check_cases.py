# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from medad.calibration import StoredCalibration
from medad.errors import InputError
from medad.handlers import CheckCases
from medad.loading import CaseDataset, CaseLoader


def _start(handler: CheckCases) -> None:
    engine = Engine(lambda engine, batch: None)
    handler.attach(engine)
    engine.run([0])


def test_unusable_validation_images_are_named_at_the_start() -> None:
    def transform(item: dict[str, Any]) -> dict[str, Any]:
        if item["case"] == "b":
            raise InputError("broken", where="b.png", expected="an image", remedy="Repair it.")
        return {**item, "image": torch.zeros(1, 2, 2)}

    def check(names: str) -> None:
        items = [{"case": name, "image": f"{name}.png"} for name in names]
        _start(CheckCases(CaseLoader(CaseDataset(items, transform), batch_size=2, spatial_dims=2)))

    check("acd")
    with pytest.raises(InputError, match=r"1 images cannot be used. First: b\.png: broken"):
        check("acbd")


def test_too_few_normal_images_are_told_before_the_training(caplog: pytest.LogCaptureFixture) -> None:
    def transform(item: dict[str, Any]) -> dict[str, Any]:
        return {**item, "image": torch.zeros(1, 2, 2)}

    items = [
        {"case": str(i), "subject_id": str(i), "image": f"{i}.png", "label": int(i > 19), "dataset": "ab"[i > 17]}
        for i in range(30)
    ]
    loader = CaseLoader(CaseDataset(items, transform), batch_size=2, spatial_dims=2)
    _start(CheckCases(loader))
    _start(CheckCases(loader, StoredCalibration(None, image_false_positive_rate=0.3)))
    assert caplog.text.count("too few") == 1 and "data set b: 2 normal images" in caplog.text
    caplog.clear()
    _start(CheckCases(loader, StoredCalibration(None, image_false_positive_rate=0.04)))
    assert "calibration: 20 normal images: too few" in caplog.text and "which needs 24" in caplog.text
    caplog.clear()
    for item in items:
        item["subject_id"] = str(int(item["case"]) % 8)
    loader = CaseLoader(CaseDataset(items, transform), batch_size=2, spatial_dims=2)
    _start(CheckCases(loader, StoredCalibration(None, guarantee="any_image_of_subject")))
    assert "calibration: 8 normal subjects: too few" in caplog.text and "of at least 0.112" in caplog.text
