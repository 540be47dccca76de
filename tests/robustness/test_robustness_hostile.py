# SPDX-License-Identifier: Apache-2.0
"""Files from elsewhere that carry code: nothing of it runs. The rows of docs/explanation/security.md."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from medad.calibration import load_calibration
from medad.datalists import load_datalist
from medad.errors import CalibrationError, InputError
from medad.handlers import TrainingState
from medad.networks import load_weights, weights_hash
from medad.transforms import LoadImageFiled
from PIL import Image
from torch import nn


class Code:
    """An object that makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("ran",)


@pytest.fixture(autouse=True)
def _nothing_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Work in an empty folder, in which nothing may appear that a file has made."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not Path("ran").exists()


def test_the_object_would_run() -> None:
    pickle.loads(pickle.dumps(Code()))
    assert Path("ran").is_dir()
    Path("ran").rmdir()


def _training_state(path: Path) -> None:
    engine = Engine(lambda engine, batch: None)
    engine.state.device = torch.device("cpu")
    TrainingState(path, {"network": nn.Linear(1, 1)}, seed=0, resume=True).load(engine)


@pytest.mark.parametrize(
    "read",
    [lambda path: load_weights(nn.Linear(1, 1), path), weights_hash, _training_state],
    ids=["network", "hash", "state"],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_weights_and_training_states(read: Callable[[Path], Any], zipped: bool) -> None:
    torch.save({"weight": torch.zeros(1), "code": Code()}, "model.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises((InputError, CalibrationError)) as caught:
        read(Path("model.pt"))
    assert "weights_only=False" not in str(caught.value) and "weights_only` set to `False`" not in str(caught.value)


def test_arrays_of_objects() -> None:
    np.savez("set.npz", train_images=np.array([Code()], dtype=object), train_labels=np.zeros(1))
    with pytest.raises(InputError):
        LoadImageFiled("image")({"image": "set.npz#train_images[0]"})


def test_calibrations_and_data_lists_are_values() -> None:
    code = "$__import__('os').mkdir('ran')"
    Path("calibration.json").write_text(json.dumps({"format": code}))
    with pytest.raises(CalibrationError):
        load_calibration("calibration.json")
    Image.new("L", (8, 8)).save(f"{code}.png")
    Path("datalist.json").write_text(json.dumps({"test": [{"image": f"{code}.png", "label": 0, "subject_id": code}]}))
    (item,) = load_datalist(".", "test")
    assert item["subject_id"] == code and Path(item["image"]).name == f"{code}.png"
