# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
from pathlib import Path

import pytest
import torch
from medad.errors import CalibrationError, InputError
from medad.networks import load_weights, weights_hash
from torch import nn


def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)).state_dict()


def test_by_hand() -> None:
    digest = hashlib.sha256(json.dumps(["w", "torch.float32", [2]]).encode())
    digest.update(torch.tensor([1.0, 2.0]).numpy().tobytes())
    assert weights_hash({"w": torch.tensor([1.0, 2.0])}) == digest.hexdigest()


def test_does_not_depend_on_serialization(tmp_path: Path) -> None:
    weights = state()
    expected = weights_hash(weights)
    assert weights_hash(dict(reversed(weights.items()))) == expected
    assert weights_hash({k: v.clone().requires_grad_(v.is_floating_point()) for k, v in weights.items()}) == expected
    assert weights_hash({k: v.mT.contiguous().mT if v.ndim > 1 else v for k, v in weights.items()}) == expected
    torch.save(weights, tmp_path / "a.pt")
    torch.save(weights, tmp_path / "b.pt", _use_new_zipfile_serialization=False)
    torch.save({"model": weights, "epoch": 3}, tmp_path / "c.pt")
    for name in "abc":
        assert weights_hash(tmp_path / f"{name}.pt") == weights_hash(str(tmp_path / f"{name}.pt")) == expected


def test_any_change_shows() -> None:
    weights = state()
    expected = weights_hash(weights)
    name = "0.weight"
    changed = [
        {**weights, name: weights[name] + 1e-7},
        {**weights, name: weights[name].double()},
        {**weights, name: weights[name].reshape(-1)},
        {("x" if k == name else k): v for k, v in weights.items()},
        {k: v for k, v in weights.items() if k != name},
    ]
    hashes = [weights_hash(c) for c in changed]
    assert expected not in hashes and len(set(hashes)) == len(hashes)


def test_every_type_of_tensor() -> None:
    for dtype in (torch.bfloat16, torch.float16, torch.int64, torch.bool, torch.complex64):
        assert len(weights_hash({"w": torch.ones(3, dtype=dtype), "scalar": torch.tensor(1, dtype=dtype)})) == 64
    assert weights_hash({"w": torch.empty(0)}) != weights_hash({})


def test_a_changed_file_is_hashed_again(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"w": torch.zeros(2)}, path)
    first = weights_hash(path)
    torch.save({"w": torch.ones(200)}, path)
    assert weights_hash(path) != first


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"model\.pt: no weights"):
        weights_hash(tmp_path / "model.pt")
    (tmp_path / "text.pt").write_text("no weights")
    torch.save({"w": torch.ones(1), "epoch": 3}, tmp_path / "mixed.pt")
    torch.save(torch.ones(1), tmp_path / "tensor.pt")
    for name, match in (("text", "cannot be read"), ("mixed", "other than tensors"), ("tensor", "other than tensors")):
        with pytest.raises(CalibrationError, match=match):
            weights_hash(tmp_path / f"{name}.pt")


def test_weights_load_strictly_or_say_why(tmp_path: Path) -> None:
    source, target = nn.Linear(2, 3), nn.Linear(2, 3)
    torch.save(source.state_dict(), tmp_path / "model.pt")
    load_weights(target, tmp_path / "model.pt")
    assert torch.equal(source.weight, target.weight)
    with pytest.raises(InputError, match="no weights there"):
        load_weights(target, tmp_path / "none.pt")
    with pytest.raises(InputError, match="weights do not fit"):
        load_weights(nn.Linear(4, 4), tmp_path / "model.pt")
    torch.save({"path": tmp_path}, tmp_path / "pickle.pt")
    with pytest.raises(InputError, match="more than tensors"):
        load_weights(target, tmp_path / "pickle.pt")
