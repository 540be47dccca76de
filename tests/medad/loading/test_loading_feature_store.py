# SPDX-License-Identifier: Apache-2.0
import hashlib
import multiprocessing
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from medad.errors import InputError
from medad.loading import FeatureDataset, PlainErrorLoader
from medad.loading.feature_store import FeatureStore
from torch import Tensor, nn
from torch.nn import functional as F


class _Features(nn.Module):
    """Stand-in for a frozen backbone that says how many images it has seen."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight
        self.seen: list[int] = []

    def key(self) -> str:
        return hashlib.sha256(str(self.weight).encode()).hexdigest()

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(len(x))
        pooled = F.interpolate(x, size=[3] * (x.ndim - 2), mode="nearest")
        return torch.cat([self.weight * pooled, pooled.square()], dim=1)


def _images(count: int = 7, size: tuple[int, ...] = (8, 6)) -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(4)
    return [{"image": torch.rand(1, *size, generator=generator), "case": f"case-{n}"} for n in range(count)]


def _make(
    data: list[dict[str, Any]],
    features: _Features,
    folder: Path | None,
    transform: Callable[[Any], Any] = dict,
    num_workers: int = 0,
) -> FeatureDataset:
    dims = data[0]["image"].ndim - 1
    return FeatureDataset(data, transform, features, dims, folder, 3, num_workers, progress=False)


def _all(dataset: FeatureDataset) -> Tensor:
    return torch.stack([dataset[index]["image"] for index in range(len(dataset))])


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_killed_run_leaves_nothing_behind(tmp_path: Path) -> None:
    data, features = _images(), _Features()
    right = _all(_make(data, features, tmp_path))
    lost, kept = _files(tmp_path)[:2]
    for path in (lost, kept):
        path.with_name(f".{path.name}.99999.partial").write_bytes(b"half")
    lost.unlink()
    assert torch.equal(_all(_make(data, features, tmp_path)), right)
    assert features.seen[-1] == 1 and len(_files(tmp_path)) == 7


@pytest.mark.parametrize("content", [b"", b"no features"])
def test_a_file_that_cannot_be_read_is_computed_again(content: bytes, tmp_path: Path) -> None:
    data, features = _images(), _Features()
    right = _all(_make(data, features, tmp_path))
    _files(tmp_path)[2].write_bytes(content)
    assert torch.equal(_all(_make(data, features, tmp_path)), right) and features.seen == [3, 3, 1, 1]


def _fill(folder: Path) -> None:
    _make(_images(40), _Features(), folder)


def test_two_processes_fill_one_folder(tmp_path: Path) -> None:
    processes = [multiprocessing.get_context("fork").Process(target=_fill, args=(tmp_path,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0] and len(_files(tmp_path)) == 40


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
@pytest.mark.parametrize("to_disk", [True, False])
def test_features_that_half_precision_cannot_hold(value: float, to_disk: bool, tmp_path: Path) -> None:
    data = _images()
    data[4]["image"][0, 0, 0] = value
    with pytest.raises(InputError, match=r"case-4: a feature of .*65504"):
        _make(data, _Features(), tmp_path if to_disk else None)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_file_that_is_damaged_during_a_run(
    num_workers: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = _images()
    dataset = _make(data, _Features(), tmp_path)
    right = _all(dataset)
    damaged = next(path for path in _files(tmp_path) if path.stem == dataset.keys[2])
    content = bytearray(damaged.read_bytes())
    content[content.index(b"\n", content.index(b"descr")) + 3] ^= 4  # in the first of the numbers
    damaged.write_bytes(content)
    with pytest.raises(InputError, match=rf"^{damaged}: features cannot be read .*CRC.*Start again") as caught:
        list(PlainErrorLoader(dataset, num_workers, batch_size=2))
    assert "Traceback" not in str(caught.value)
    features = _Features()
    assert torch.equal(_all(_make(data, features, tmp_path)), right) and features.seen == [1]
    assert f"{damaged} is damaged" in caplog.text


def test_every_flipped_bit_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    store, key = FeatureStore(tmp_path), "ab" * 32
    features = torch.tensor([[1.5, -2.0]])
    store.write(key, features, "case")
    path = _files(tmp_path)[0]
    content = path.read_bytes()
    noticed = 0
    for bit in range(0, 8 * len(content), 3):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        if key in store:
            assert torch.equal(store.read(key), features), bit
        else:
            noticed += 1
            assert not path.exists()
    assert noticed > len(content)  # the others say when and on what system the file was made


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"features cannot be kept .*Set feature_cache"):
        _make(_images(), _Features(), tmp_path / "file" / "features")


def test_a_full_disk_leaves_no_half_written_file(tmp_path: Path) -> None:
    """The system refuses to go on in the middle of a file, here by a limit on the size of files."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150, limits[1]))
    try:
        with pytest.raises(InputError) as caught:
            _make(_images(), _Features(), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "features cannot be kept" in str(caught.value) and "with enough space" in str(caught.value)
    assert not _files(tmp_path)


@pytest.mark.parametrize("forbidden", ["mkdir", "is_file"])
def test_a_folder_that_may_not_be_used(forbidden: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path, **_options: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, forbidden, refuse)
    with pytest.raises(InputError, match=r"features cannot be kept .*Permission denied.*Set feature_cache"):
        _make(_images(), _Features(), tmp_path)


def test_what_another_user_left_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, features = _images(), _Features()
    _make(data, features, tmp_path)
    left = _files(tmp_path)[0]
    left.with_name(f".{left.name}.99999.partial").write_bytes(b"half")

    def refuse(_path: Path, **_options: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    _make(data, features, tmp_path)
    assert sum(features.seen) == 7


def test_a_folder_that_other_processes_do_not_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on the second of two nodes: what the first was to compute is not there."""
    monkeypatch.setattr("ignite.distributed.get_world_size", lambda: 2)
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    monkeypatch.setattr("ignite.distributed.all_gather", lambda keys: [[f"{n:064x}" for n in range(4)], keys])
    with pytest.raises(InputError, match=r"features of 4 images are missing.*shared disk"):
        _make(_images(), _Features(), tmp_path)
