# SPDX-License-Identifier: Apache-2.0
"""A real server of MONAI Label: what it says about releases, what it infers, and what it trains."""

import json
from pathlib import Path
from typing import Any

import itk
import nibabel
import numpy as np
import pytest
from label_tools import Served, Server
from medad.calibration import load_calibration
from medad.networks import weights_hash
from medad.predict import AnomalyDetector
from monai.bundle import ConfigParser

RATE = {"voxel_false_positive_rate": 0.2}
"""So high that a network trained for an epoch marks something."""


def _images(studies: Path) -> list[Path]:
    """One phantom head, and the real ones."""
    return [sorted(studies.glob("test*.nii.gz"))[-1], *sorted(studies.glob("TCGA*.nii.gz"))]


def _id(path: Path) -> str:
    return path.name.removesuffix(".nii.gz")


def _mask(content: bytes, folder: Path) -> nibabel.Nifti1Image:
    path = folder / "answer.nii.gz"
    path.write_bytes(content)
    image: nibabel.Nifti1Image = nibabel.load(path)
    return image


def _labels(server: Server, model: str, image: Path, folder: Path, **params: Any) -> np.ndarray:
    answer = server.infer(model, _id(image), **params)
    assert answer.status == 200, f"{model}: {answer.body[:500]!r}"
    found, source = _mask(answer.body, folder), nibabel.load(image)
    assert found.shape == source.shape
    np.testing.assert_allclose(found.affine, source.affine, atol=1e-4)
    return np.asarray(found.dataobj)


def test_info_shows_the_releases_and_their_parameters(server: Server, models: dict[str, Served]) -> None:
    info = server.ask("GET", "/info/").json
    assert info["labels"] == ["anomaly"] and set(info["models"]) == set(models) == set(info["trainers"])
    for name, model in models.items():
        shown = info["models"][name]
        assert (shown["type"], shown["labels"], shown["dimension"]) == ("segmentation", {"anomaly": 1}, model.dimension)
        config = ConfigParser.load_config_file(str(model.folder / "configs" / "inference.json"))
        expected = ConfigParser(config).get_parsed_content("displayable_configs")
        assert {key: shown["config"][key] for key in expected} == expected
        assert ("threshold" in expected) == (name != "output_bins")
    assert info["datastore"]["total"] >= 12


def test_masks_are_those_of_a_run(server: Server, models: dict[str, Served], studies: Path, tmp_path: Path) -> None:
    for name, model in models.items():
        if name.startswith("output_"):
            continue
        weights = model.folder / "models"
        paths = {"ckpt_path": str(weights / "model.pt"), "calibration_path": str(weights / "calibration.json")}
        detector = AnomalyDetector(model.bundle, list(model.overlays), **paths, **RATE)
        for image in _images(studies):
            mask = _labels(server, name, image, tmp_path, **RATE)
            expected = detector(image)
            assert set(np.unique(mask)) == {0, 1}, name
            np.testing.assert_array_equal(mask, expected.mask.squeeze())
            said = server.infer(name, _id(image), "json", **RATE).json
            assert said["label_names"] == {"anomaly": 1}
            assert said["anomaly_score"] == pytest.approx(expected.score, rel=1e-5)
            assert (said["p_value"], said["decision"]) == (expected.p_value, expected.decision)


def test_what_a_request_changes_changes_the_answer(
    server: Server, models: dict[str, Served], studies: Path, tmp_path: Path
) -> None:
    image = _images(studies)[0]
    for name, model in models.items():
        shown = server.ask("GET", "/info/").json["models"][name]["config"]
        before = _labels(server, name, image, tmp_path)
        if name == "output_bins":
            continue
        assert not np.array_equal(_labels(server, name, image, tmp_path, **RATE), before)
        by_hand = _labels(server, name, image, tmp_path, threshold="0.001")
        assert not np.array_equal(by_hand, before)
        if "min_lesion_size" in shown:
            assert not _labels(server, name, image, tmp_path, threshold="0.001", min_lesion_size=10**6).any()
        if "start_levels" in shown:
            # levels of a harmonization must lie below
            levels = {"start_levels": "2"} | ({"harmonization_levels": "1"} if "harmonization_levels" in shown else {})
            answer = server.infer(name, _id(image), **levels)
            assert answer.failed_with("calibration of another score")
            other = _labels(server, name, image, tmp_path, threshold="0.001", **levels)
            assert not np.array_equal(other, by_hand), model
        assert server.infer(name, _id(image), threshold="high").failed_with("threshold must be a finite number")
        np.testing.assert_array_equal(_labels(server, name, image, tmp_path), before)


@pytest.mark.parametrize(("form", "highest"), [("output_heatmap", 255), ("output_bins", 5)])
def test_forms_for_clients_that_show_labels_only(
    server: Server, models: dict[str, Served], studies: Path, tmp_path: Path, form: str, highest: int
) -> None:
    """As NIfTI, and as 3D Slicer asks for it."""
    image = _images(studies)[0]
    labels = _labels(server, form, image, tmp_path)
    assert labels.dtype == np.uint8 and 1 < labels.max() <= highest
    answer = server.infer(form, _id(image), result_extension=".nrrd", result_dtype="uint8")
    (tmp_path / "answer.nrrd").write_bytes(answer.body)
    np.testing.assert_array_equal(itk.array_from_image(itk.imread(str(tmp_path / "answer.nrrd"))).T, labels)


def test_batch_inference_leaves_a_mask_for_every_volume(
    server: Server, models: dict[str, Served], studies: Path
) -> None:
    name = next(name for name, model in models.items() if model.dimension == 2)
    body = json.dumps({"device": "cpu", "multi_gpu": False, **RATE}).encode()
    assert server.ask("POST", f"/batch/infer/{name}?images=all&run_sync=true", body).status == 200
    images = sorted(studies.glob("*.nii.gz"))
    for image in images:
        written = nibabel.load(studies / "labels" / "original" / image.name)
        assert written.shape == nibabel.load(image).shape
        assert set(np.unique(np.asarray(written.dataobj))) == {0, 1}
    info = json.loads((studies / "datastore_v2.json").read_text())["objects"]
    assert all("p_value" in info[_id(image)]["labels"]["original"]["info"]["params"] for image in images)


def _confirm(server: Server, images: list[Path], empty: Path, marked: Path) -> int:
    """Confirm labels of all images, something marked in two of each half, and count the normal ones in the second.

    The order in which the server splits them is its own.
    """
    for image in images:
        assert server.save_label(_id(image), empty).status == 200
    order = [_id(Path(item["image"])) for item in server.ask("GET", "/datastore/?output=train").json]
    assert set(order) == set(map(_id, images))
    for name in (*order[:2], *order[-2:]):
        assert server.save_label(name, marked).status == 200
    return len(order) - len(order) // 2 - 2


def test_training_from_confirmed_labels_ends_with_the_calibration(
    server: Server, models: dict[str, Served], studies: Path, empty: Path, tmp_path: Path
) -> None:
    """Healthy cases have empty final labels; cases with something marked are left out, or learned from.

    A 2D network learns from the slices of the volumes.
    """
    mask = np.zeros(nibabel.load(empty).shape, dtype=np.uint8)
    mask[8:12, 8:12, 8:12] = 1
    nibabel.save(nibabel.Nifti1Image(mask, nibabel.load(empty).affine), tmp_path / "marked.nii.gz")
    images = sorted([*studies.glob("training*.nii.gz"), *studies.glob("test*.nii.gz")])
    normal = _confirm(server, images, empty, tmp_path / "marked.nii.gz")
    for name, model in models.items():
        if name.startswith("output_"):
            continue
        weights = model.folder / "models" / "model.pt"
        before = weights_hash(weights)
        body = {"device": "cpu", "multi_gpu": False, "max_epochs": 1, "val_split": 0.5, "run_id": "run"}
        said = server.ask("POST", f"/train/{name}?run_sync=true", json.dumps(body).encode())
        assert said.status == 200, said.body[:500]
        calibration = load_calibration(weights.with_name("calibration.json"))
        assert before != weights_hash(weights) == calibration.weights_sha256
        assert calibration.images == calibration.subjects == normal
        refused = server.infer(name, _id(images[0]), **RATE)
        assert refused.failed_with("normal images cannot support an image false-positive rate of 0.05")
        mask = _labels(server, name, images[0], tmp_path, image_false_positive_rate=0.25, **RATE)
        assert set(np.unique(mask)) == {0, 1}
