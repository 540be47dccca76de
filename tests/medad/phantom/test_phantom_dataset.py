# SPDX-License-Identifier: Apache-2.0
"""The phantom data set on disk: contents, geometry, repeatability, refusal of what is not its own."""

import json
import time
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from medad.errors import InputError
from medad.phantom import PHANTOM_VERSION, LesionKind, abnormal_phantom, healthy_phantom, write_phantom_dataset
from medad.phantom.__main__ import main
from medad.phantom.dataset import INTENSITY_UNIT
from monai.transforms import LoadImage
from PIL import Image

COUNTS = {"training": 3, "training_abnormal": 4, "calibration": 2, "validation": 3, "test": 8}
NONE = dict.fromkeys(COUNTS, 0)


@pytest.fixture(scope="module", params=[2, 3])
def dataset(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    dims = int(request.param)
    out = tmp_path_factory.mktemp("phantom") / "data"
    assert write_phantom_dataset(out, dims, (20, 24, 28)[:dims], COUNTS, seed=5) == out / "datalist.json"
    return dims, out


def read(out: Path) -> dict[str, Any]:
    return json.loads((out / "datalist.json").read_text())


def tree(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def test_splits_labels_and_subjects(dataset: tuple[int, Path]) -> None:
    _, out = dataset
    datalist = read(out)
    assert datalist["parameters"]["phantom_version"] == PHANTOM_VERSION
    assert datalist["name"]
    assert datalist["description"]
    assert {split: len(datalist[split]) for split in COUNTS} == COUNTS
    labels = {split: [item["label"] for item in datalist[split]] for split in COUNTS}
    assert labels["training"] == [0] * 3
    assert labels["calibration"] == [0] * 2
    assert labels["training_abnormal"] == [1] * 4
    assert labels["validation"] == [0, 1, 0]
    assert labels["test"] == [0, 1] * 4
    assert [item["kind"] for item in datalist["test"][1::2]] == [kind.value for kind in LesionKind]
    items = [item for split in COUNTS for item in datalist[split]]
    assert len({item["subject_id"] for item in items}) == len(items)
    for item in items:
        assert ("mask" in item) == ("kind" in item) == (item["label"] == 1)
    listed = {item[key] for item in items for key in ("image", "mask") if key in item}
    assert set(tree(out)) == listed | {"datalist.json"}


def test_files_hold_the_phantoms(dataset: tuple[int, Path]) -> None:
    dims, out = dataset
    size = (20, 24, 28)[:dims]
    normal, abnormal = read(out)["test"][2:4]
    images = {}
    for item in (normal, abnormal):
        index = int(item["subject_id"].removeprefix("phantom_"))
        if item["label"]:
            image, mask, _ = abnormal_phantom(5, index, dims, size, item["kind"])
            stored = np.asarray(LoadImage(image_only=True)(out / item["mask"]))
            assert set(np.unique(stored)) == {0, 255 if dims == 2 else 1}
            images[item["mask"]] = (stored > 0, mask, 0)
        else:
            image = healthy_phantom(5, index, dims, size)
        stored = np.asarray(LoadImage(image_only=True)(out / item["image"])) / INTENSITY_UNIT
        images[item["image"]] = (stored, image, 0.51 / INTENSITY_UNIT)
    for stored, drawn, tolerance in images.values():
        oriented = stored if dims == 2 else stored[::-1, ::-1]  # volumes are stored in RAS, drawn in LPS
        np.testing.assert_allclose(oriented, drawn, rtol=0, atol=tolerance)


def test_png_is_16_bit_gray_with_x_along_the_columns(dataset: tuple[int, Path]) -> None:
    dims, out = dataset
    item = read(out)["test"][1]
    if dims == 2:
        with Image.open(out / item["image"]) as image, Image.open(out / item["mask"]) as mask:
            assert image.mode == "I;16"
            assert image.size == (20, 24)
            assert mask.mode == "L"
            assert mask.size == (20, 24)
    else:
        image, mask = nib.load(out / item["image"]), nib.load(out / item["mask"])
        assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
        np.testing.assert_allclose(image.affine, mask.affine)
        np.testing.assert_allclose(image.header.get_zooms(), [11.0] * 3)  # 220 mm over 20 voxels
        center = image.affine @ [9.5, 11.5, 13.5, 1]
        np.testing.assert_allclose(center, [0, 0, 0, 1], atol=1e-4)
        assert image.get_data_dtype() == np.int16
        assert mask.get_data_dtype() == np.uint8


def test_a_second_call_leaves_the_data_set_as_it_is(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"image_size": (16, 16), "counts": {**NONE, "test": 2}}
    write_phantom_dataset(tmp_path / "a", **arguments)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*")}
    start = time.perf_counter()
    write_phantom_dataset(tmp_path / "a", **arguments)
    assert time.perf_counter() - start < 1
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*")} == before


def test_a_larger_data_set_contains_the_smaller_one(tmp_path: Path) -> None:
    write_phantom_dataset(tmp_path / "small", image_size=(16, 16), counts={**NONE, "training": 1, "test": 3})
    (tmp_path / "large").mkdir()  # an empty folder is taken
    write_phantom_dataset(tmp_path / "large", image_size=(16, 16), counts={**NONE, "training": 2, "test": 5})
    small, large = tree(tmp_path / "small"), tree(tmp_path / "large")
    del small["datalist.json"]
    assert small.items() <= large.items()
    assert read(tmp_path / "small")["test"] == read(tmp_path / "large")["test"][:3]
    assert "calibration" not in read(tmp_path / "small")


def test_foreign_folder_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("keep")
    with pytest.raises(InputError, match="a folder with other files"):
        write_phantom_dataset(tmp_path, image_size=(16, 16), counts={**NONE, "test": 1})
    (tmp_path / "datalist.json").write_text('{"training": []}')
    with pytest.raises(InputError, match="a folder with other files"):
        write_phantom_dataset(tmp_path, image_size=(16, 16), counts={**NONE, "test": 1})
    (tmp_path / "datalist.json").write_text("{")
    with pytest.raises(InputError, match="a folder with other files"):
        write_phantom_dataset(tmp_path, image_size=(16, 16), counts={**NONE, "test": 1})
    with pytest.raises(InputError, match="a file found"):
        write_phantom_dataset(tmp_path / "notes.txt")
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "datalist.json"}


def test_other_arguments_are_refused_by_name(tmp_path: Path) -> None:
    counts = {**NONE, "test": 1}
    write_phantom_dataset(tmp_path / "a", image_size=(16, 16), counts=counts)
    with pytest.raises(InputError, match=r"different: image_size, seed\)"):
        write_phantom_dataset(tmp_path / "a", image_size=(16, 18), counts=counts, seed=1)


def test_nothing_is_left_of_a_failed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("medad.phantom.dataset.save_array", fail)
    with pytest.raises(OSError, match="disk full"):
        write_phantom_dataset(tmp_path / "a", image_size=(16, 16), counts={**NONE, "test": 1})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("counts", [{"train": 1}, {"test": -1}])
def test_bad_counts(tmp_path: Path, counts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="counts"):
        write_phantom_dataset(tmp_path / "a", counts=counts)


def test_door(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = [word for split in COUNTS for word in (f"--{split}", "1")]
    arguments = ["--out", str(tmp_path / "a"), "--spatial_dims", "3", "--image_size", "16", "16", "16", *counts]
    main(arguments)
    assert capsys.readouterr().out.strip() == str(tmp_path / "a" / "datalist.json")
    assert len(read(tmp_path / "a")["training"]) == 1
    with pytest.raises(SystemExit, match=r"error: .*different: seed"):
        main([*arguments, "--seed", "1"])
    with pytest.raises(SystemExit, match=r"error: .*image_size"):
        main(["--out", str(tmp_path / "b"), "--image_size", "16"])
