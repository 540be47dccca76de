# SPDX-License-Identifier: Apache-2.0
"""Features are computed once per image, backbone and preprocessing, and never met by anything else."""

import hashlib
import pickle
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import pytest
import torch
from medad.errors import InputError
from medad.loading import FeatureDataset
from monai.data import MetaTensor
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


@pytest.mark.parametrize("size", [(8, 6), (6, 5, 4)])
def test_values_are_those_of_the_network_in_half_precision(size: tuple[int, ...], tmp_path: Path) -> None:
    data, features = _images(size=size), _Features()
    exact = _Features()(torch.stack([item["image"] for item in data]))
    first, again, memory = (_make(data, features, folder) for folder in (tmp_path, tmp_path, None))
    assert features.seen == [3, 3, 1] * 2 and len(first) == len(_files(tmp_path)) == 7  # none for the second one
    for dataset in (first, again, memory):
        assert dataset[2].keys() == {"image"} and type(dataset[2]["image"]) is Tensor
        assert torch.equal(_all(dataset), exact.half().float())
    torch.testing.assert_close(_all(first), exact, rtol=2**-11, atol=2**-24)


def test_only_what_is_missing_is_computed(tmp_path: Path) -> None:
    data, features = _images(), _Features()
    _make(data[1:4], features, tmp_path)
    shuffled = [data[index] for index in (6, 2, 0, 1, 5, 3, 4, 6)]  # one of them twice
    whole = _make(shuffled, features, tmp_path)
    assert sum(features.seen) == 7 and len(_files(tmp_path)) == 7
    assert torch.equal(_all(whole), _all(_make(shuffled, _Features(), None)))


def test_another_backbone_or_preprocessing_is_computed_anew(tmp_path: Path) -> None:
    data = _images()
    _make(data, _Features(), tmp_path)
    changes: list[tuple[_Features, Callable[[Any], Any]]] = [
        (_Features(weight=2.0), dict),
        (_Features(), lambda item: {"image": item["image"] / 2}),
        (_Features(), lambda item: {"image": item["image"].reshape(1, 6, 8)}),
    ]
    for features, transform in changes:
        made = _make(data, features, tmp_path, transform)
        assert sum(features.seen) == 7
        assert torch.equal(_all(made), _all(_make(data, features, None, transform)))


def test_metadata_change_nothing(tmp_path: Path) -> None:
    data, features = _images(3), _Features()
    _make(data, features, tmp_path)
    made = _make([{"image": MetaTensor(item["image"], meta={"a": 1})} for item in data], features, tmp_path)
    assert features.seen == [3] and type(made[0]["image"]) is Tensor


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_image_that_cannot_be_used_gives_its_own_error(num_workers: int) -> None:
    def refuse(_item: Any) -> Any:
        raise InputError("constant image", where="b.png", expected="contrast", remedy="Leave it out.")

    with pytest.raises(InputError) as caught:
        _make(_images(), _Features(), None, refuse, num_workers)
    assert str(caught.value) == "b.png: constant image. Expected contrast. Leave it out."


def test_a_mistake_in_a_transform_stays_one() -> None:
    with pytest.raises(ZeroDivisionError):
        _make(_images(), _Features(), None, lambda item: {"image": item["image"], "ratio": 1 // 0})


def test_images_of_several_shapes(tmp_path: Path) -> None:
    sizes = [(8, 6), (8, 6), (6, 8), (8, 6), (9, 9), (6, 8), (6, 8)]
    data = [_images(1, size)[0] for size in sizes]
    for number, item in enumerate(data):
        item["image"] = item["image"] + number
    features = _Features()
    dataset = _make(data, features, tmp_path)
    assert features.seen == [2, 1, 1, 1, 1, 1]  # in batches of three, those of one shape together
    for number, item in enumerate(data):
        assert torch.equal(dataset[number]["image"], _Features()(item["image"][None])[0].half().float())


def test_images_with_other_axes_are_refused() -> None:
    with pytest.raises(InputError, match=r"3 spatial axes found.*2 spatial axes.*volume_3d.json"):
        FeatureDataset(_images(size=(6, 5, 4)), dict, _Features(), spatial_dims=2, progress=False)


def test_another_backbone_at_the_start_of_a_run_is_refused() -> None:
    dataset = _make(_images(), _Features(), None)
    dataset.require_features(_Features())
    with pytest.raises(InputError, match=r"begin a new training"):
        dataset.require_features(_Features(weight=2.0))


def test_workers_of_a_loader_get_no_network(tmp_path: Path) -> None:
    features = _Features()
    features.register_buffer("large", torch.zeros(100_000))
    dataset = _make(_images(), features, tmp_path)
    assert len(pickle.dumps(dataset)) < 5000


@pytest.mark.parametrize("folder", [True, False])
def test_an_item_may_give_several_images(folder: bool, tmp_path: Path) -> None:
    """As a volume gives its slices; another number for each."""
    data = _images(4)

    def repeat(item: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"image": item["image"] + step} for step in range(int(item["case"][-1]))]

    dataset = _make(data, _Features(), tmp_path if folder else None, repeat)
    single = [{"image": data[n]["image"] + step, "case": "x"} for n in range(4) for step in range(n)]
    assert len(dataset) == 6
    assert torch.equal(_all(dataset), _all(_make(single, _Features(), None)))


def test_a_full_shared_memory_is_gone_around(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Else the features of an image that finds no room never come, and the run waits for them for ever."""
    dumps = ForkingPickler.dumps

    def full(value: Any, *rest: Any) -> Any:
        content = bytes(dumps(value, *rest))
        if b"rebuild_storage" in content:
            raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device")
        return content

    data = _images()
    expected = _all(_make(data, _Features(), None))
    monkeypatch.setattr(ForkingPickler, "dumps", full)
    assert torch.equal(_all(_make(data, _Features(), tmp_path, num_workers=2)), expected)
    assert caplog.text.count("through a pipe, which is slower") == 1
