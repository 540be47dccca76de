# SPDX-License-Identifier: Apache-2.0
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from medad.datalists import load_datalist
from medad.errors import InputError
from medad.transforms import LoadImageFiled, LoadMaskd


@pytest.fixture
def touch(tmp_path):
    """Create empty files: layouts look at names only."""

    def write(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return write


def summary(items, root):
    return [
        (
            str(Path(item["image"]).relative_to(root)),
            item.get("label"),
            Path(item["mask"]).name if "mask" in item else None,
        )
        for item in items
    ]


def write_datalist(folder, **splits):
    """Write datalist.json and all files it names."""
    for item in (item for items in splits.values() for item in items):
        for path in [item["image"]] if isinstance(item["image"], str) else item["image"]:
            (folder / path).touch()
    (folder / "datalist.json").write_text(json.dumps({"name": "x", "labels": {"0": "normal"}, **splits}))
    return folder


def test_datalist_json(touch, tmp_path):
    touch("m.png", "f.png")
    write_datalist(
        tmp_path,
        training=[{"image": "a.png"}],
        training_abnormal=[{"image": ["b1.png", "b2.png"], "subject_id": 7}],
        validation=[{"image": "c.png", "label": 0, "mask": None}],
        test=[
            {"image": "d.png", "label": 1, "mask": "m.png", "foreground": "f.png"},
            {"image": "e.png", "label": 0, "case": "my case"},
        ],
    )
    root = str(tmp_path)
    assert load_datalist(tmp_path, "training") == [
        {"image": f"{root}/a.png", "label": 0, "case": "a", "source_file": "a.png", "subject_id": "a"}
    ]
    abnormal = load_datalist(root, "training_abnormal")
    channels = {"image": [f"{root}/b1.png", f"{root}/b2.png"], "source_file": "b1.png; b2.png"}
    assert abnormal == [{**channels, "subject_id": "7", "label": 1, "case": "b1"}]
    assert load_datalist(tmp_path / "datalist.json", "calibration")[0]["case"] == "c"
    first, second = load_datalist(root, "test")
    assert (first["mask"], first["foreground"]) == (f"{root}/m.png", f"{root}/f.png")
    assert (second["mask"], second["case"]) == ("", "my_case")  # a normal image beside images with masks
    inference = load_datalist(root, "inference")
    assert [set(item) for item in inference] == [
        {"image", "case", "source_file", "subject_id", "foreground"},
        {"image", "case", "source_file", "subject_id"},
    ]


def test_entries_with_the_names_of_results_are_left_out(tmp_path):
    results = {"detections": 5, "anomaly_map": [1], "pred": "x", "p_value": 0.1, "failure": "no", "dataset": "b"}
    write_datalist(tmp_path, inference=[{"image": "a.png", **results, "site": "kept"}])
    (item,) = load_datalist(tmp_path, "inference")
    assert set(item) == {"image", "case", "source_file", "subject_id", "site"}


def test_folders(touch, caplog):
    root = touch(
        "train/normal/b.png",
        "train/normal/a.png",
        "train/tumor/t.png",
        "validation/normal/c.nii.gz",
        "test/normal/d.png",
        "test/normal/d_mask.png",
        "test/lesion/e.png",
        "test/other/f.png",
        "test/masks/e.png",
        "test/normal/.hidden.png",
    )
    assert summary(load_datalist(root, "training"), root) == [
        ("train/normal/a.png", 0, None),
        ("train/normal/b.png", 0, None),
    ]
    assert summary(load_datalist(root, "training_abnormal"), root) == [("train/tumor/t.png", 1, None)]
    assert summary(load_datalist(root, "calibration"), root) == [("validation/normal/c.nii.gz", 0, None)]
    assert sorted(summary(load_datalist(root, "test"), root), key=lambda row: row[0]) == [
        ("test/lesion/e.png", 1, "e.png"),
        ("test/normal/d.png", 0, ""),
        ("test/other/f.png", 1, None),
    ]
    assert "1 abnormal images have no mask" in caplog.text


def test_medianomaly_json(touch):
    root = touch("images/a.png", "images/b.png", "images/c.png")
    (root / "data.json").write_text(json.dumps({"train": {"0": ["b.png"]}, "test": {"0": ["a.png"], "1": ["c.png"]}}))
    assert summary(load_datalist(root, "training"), root) == [("images/b.png", 0, None)]
    assert summary(load_datalist(root, "test"), root) == [("images/a.png", 0, None), ("images/c.png", 1, None)]
    (root / "data.json").write_text("[]")
    with pytest.raises(InputError, match="malformed"):
        load_datalist(root, "test")


def test_medianomaly_brats(touch):
    root = touch(
        "train/BraTS2021_00001_flair_10.png",
        "test/normal/BraTS2021_00002_flair_11.png",
        "test/tumor/BraTS2021_00003_flair_12.png",
        "test/annotation/BraTS2021_00003_seg_12.png",
    )
    items = load_datalist(root, "test")
    assert summary(items, root) == [
        ("test/normal/BraTS2021_00002_flair_11.png", 0, ""),
        ("test/tumor/BraTS2021_00003_flair_12.png", 1, "BraTS2021_00003_seg_12.png"),
    ]
    assert [item["subject_id"] for item in items] == ["BraTS2021_00002", "BraTS2021_00003"]
    assert load_datalist(root, "training", layout="medianomaly")[0]["subject_id"] == "BraTS2021_00001"


def test_medianomaly_camelyon(touch):
    root = touch("train/good/a.png", "test/good/b.png", "test/Ungood/c.png")
    assert summary(load_datalist(root, "test", layout="medianomaly"), root) == [
        ("test/good/b.png", 0, None),
        ("test/Ungood/c.png", 1, None),
    ]
    assert len(load_datalist(root, "training")) == 1


def test_medianomaly_isic(touch):
    prefix = "ISIC2018_Task3"
    root = touch(*(f"{prefix}_Training_Input/{name}.jpg" for name in "ab"), f"{prefix}_Test_Input/c.jpg")
    for part, rows in [("Training", "a,0.0,1.0\nb,1.0,0.0\n"), ("Test", "c,0.0,1.0\n")]:
        folder = root / f"{prefix}_{part}_GroundTruth"
        folder.mkdir()
        (folder / f"{prefix}_{part}_GroundTruth.csv").write_text("image,MEL,NV\n" + rows)
    assert summary(load_datalist(root, "training"), root) == [(f"{prefix}_Training_Input/a.jpg", 0, None)]
    assert [item["case"] for item in load_datalist(root, "training_abnormal")] == ["b"]
    assert load_datalist(root, "test")[0]["label"] == 0
    (folder / f"{prefix}_Test_GroundTruth.csv").write_text("image,MEL\nc,1\n")
    with pytest.raises(InputError, match="KeyError"):
        load_datalist(root, "test")


def test_mvtec(touch):
    root = touch(
        "train/good/000.png",
        "test/good/000.png",
        "test/crack/000.png",
        "test/hole/000.png",
        "ground_truth/crack/000_mask.png",
        "ground_truth/hole/000_mask.png",
    )
    items = load_datalist(root, "test")
    assert summary(items, root) == [
        ("test/crack/000.png", 1, "000_mask.png"),
        ("test/good/000.png", 0, ""),
        ("test/hole/000.png", 1, "000_mask.png"),
    ]
    assert [item["case"] for item in items] == ["test_crack_000", "test_good_000", "test_hole_000"]
    assert "hole" in items[2]["mask"]


def test_bmad(touch):
    root = touch(
        "train/good/a.png",
        "valid/good/img/b.png",
        "valid/Ungood/img/c.png",
        "valid/Ungood/label/c.png",
        "test/good/img/d.png",
        "test/good/label/d.png",
        "test/Ungood/img/e.png",
        "test/Ungood/label/e.png",
    )
    assert summary(load_datalist(root, "test"), root) == [
        ("test/Ungood/img/e.png", 1, "e.png"),
        ("test/good/img/d.png", 0, ""),
    ]
    assert [item["case"] for item in load_datalist(root, "calibration")] == ["b"]


def test_medmnist(tmp_path):
    path = tmp_path / "x.npz"
    images = np.random.default_rng(0).integers(0, 255, (3, 6, 4), dtype=np.uint8)
    labels = np.asarray([[1], [0], [2]], np.uint8)
    np.savez(
        path,
        **{
            f"{part}_{kind}": array
            for part in ("train", "val", "test")
            for kind, array in [("images", images), ("labels", labels)]
        },
    )
    (item,) = load_datalist(path, "training")
    assert (item["case"], item["label"]) == ("train_00001", 0)
    np.testing.assert_array_equal(LoadImageFiled("image")(item)["image"].numpy(), images[1].T[None])
    assert [item["label"] for item in load_datalist(path, "test")] == [1, 0, 1]
    assert len(load_datalist(path, "training_abnormal")) == 2
    np.savez(path, train_images=images, train_labels=np.zeros((3, 14)))
    with pytest.raises(InputError, match=r"train_labels of shape \(3, 14\)"):
        load_datalist(path, "training")
    np.savez(path, other=images)
    with pytest.raises(InputError, match="no images found"):
        load_datalist(path, "training")
    path.write_bytes(b"x")
    with pytest.raises(InputError, match="MedMNIST"):
        load_datalist(path, "training")


def test_plain_folder_flat_and_recursive(touch):
    root = touch(
        "b.png", "a.nii.gz", "a_seg.nii.gz", "b_mask.png", "notes.txt", "sub/c.tif", "sub/deep/d.JPG", "sub/c_MASK.tif"
    )
    assert [item["case"] for item in load_datalist(root, "inference")] == ["a", "b"]
    assert sorted(item["case"] for item in load_datalist(root, "inference", recursive=True)) == ["a", "b", "c", "d"]
    assert [item["case"] for item in load_datalist(root / "a.nii.gz", "inference")] == ["a"]
    assert "label" not in load_datalist(root, "inference")[0]


def test_folder_of_folders_needs_recursive(touch):
    root = touch("x/a.png")
    with pytest.raises(InputError, match="unless recursive"):
        load_datalist(root, "inference")
    assert len(load_datalist(root, "inference", recursive=True)) == 1


def test_dicom_folder_per_series_and_mixed(dicom_series, dicom, tmp_path):
    dicom_series("set/first", series="1.1")
    dicom_series("set/second", series="1.2")
    items = load_datalist(tmp_path / "set", "inference")
    assert [(item["case"], item["image"]) for item in items] == [
        (name, f"{tmp_path}/set/{name}") for name in ("first", "second")
    ]
    dicom("set/second/z", np.ones((4, 3), np.uint16), series="1.3")
    dicom("set/second/seg.dcm", np.ones((4, 3), np.uint16), series="1.4", SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4")
    items = load_datalist(tmp_path / "set", "inference")
    assert [item["case"] for item in items] == ["first", "001", "z"]
    shapes = [tuple(LoadImageFiled("image")(item)["image"].shape) for item in items]
    assert shapes == [(1, 3, 4, 3), (1, 3, 4, 3), (1, 3, 4)]
    assert "secret" not in str(items).lower()


def test_dicom_nested_deeper_needs_recursive(dicom_series, tmp_path):
    dicom_series("set/patient/study/series")
    assert [item["case"] for item in load_datalist(tmp_path / "set", "inference", recursive=True)] == ["series"]


@pytest.mark.parametrize(
    "content",
    [
        *("{", "[]", '{"test": 1}', '{"test": [{"mask": "a"}]}', '{"test": ["a.png"]}'),
        '{"test": [{"image": "a.png", "mask": ["a.png", "b.png"]}]}',
        *(
            f'{{"test": [{{"image": "a.png", "{key}": {value}}}]}}'
            for key in ("mask", "foreground")
            for value in ("{}", "[]", "0")
        ),
    ],
)
def test_malformed_json(tmp_path, content):
    (tmp_path / "datalist.json").write_text(content)
    with pytest.raises(InputError, match="Correct the file"):
        load_datalist(tmp_path, "test")


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        (
            "lgg_flair",
            {"training": (635, 0), "training_abnormal": (0, 600), "validation": (45, 45), "test": (178, 188)},
        ),
        (
            "pneumoniamnist.npz",
            {"training": (1214, 0), "training_abnormal": (0, 3494), "validation": (135, 389), "test": (234, 390)},
        ),
        ("lgg_3d", {"test": (0, 8)}),
        ("ms_3d", {"test": (0, 3)}),
    ],
)
def test_real_counts(real_data, name, counts):
    for split, (normal, abnormal) in counts.items():
        items = load_datalist(real_data / name, split)
        labels = Counter(item["label"] for item in items)
        assert (labels[0], labels[1]) == (normal, abnormal)
        assert len({item["case"] for item in items}) == len(items)


@pytest.mark.real_data
def test_real_items_load(real_data):
    load = LoadImageFiled("image")
    for name in ("lgg_flair", "pneumoniamnist.npz"):
        for item in load_datalist(real_data / name, "test")[:3]:
            loaded = LoadMaskd()(load(item))
            assert loaded["image"].shape[0] == 1
            assert ("mask" in loaded) == (name == "lgg_flair")
    cases = [item["case"] for item in load_datalist(real_data / "ms_3d", "test")]
    assert cases == ["patient07_FLAIR", "patient19_FLAIR", "patient26_FLAIR"]
    tiffs = load_datalist(
        next(path for path in (real_data / "lgg_original_tif").iterdir() if path.is_dir()), "inference"
    )
    assert len(tiffs) == 23
    singles = load_datalist(real_data / "dicom" / "pydicom_single", "inference")
    assert [item["case"] for item in singles] == [
        "693_J2KR",
        "MR-SIEMENS-DICOM-WithOverlays",
        "MR2_J2KR",
        "eCT_Supplemental",
        "emri_small",
    ]
    assert [item["case"] for item in load_datalist(real_data / "dicom" / "head_torchio_17", "inference")] == [
        "head_torchio_17"
    ]
