# SPDX-License-Identifier: Apache-2.0
"""The ways of real images: volumes, odd geometry, DICOM series, a labeled 2D set."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from bundle_tools import SmokeModel, build, reconstructs

pytestmark = [pytest.mark.slow, pytest.mark.real_data]
Infer = Callable[..., Path]


@pytest.mark.each_kind
def test_lgg_volumes_and_their_metrics(infer: Infer, smoke_model: SmokeModel, real_data: Path, tmp_path: Path) -> None:
    out = infer(tmp_path / "out", dataset_dir=real_data / "lgg_3d")
    items = json.loads((real_data / "lgg_3d" / "datalist.json").read_text())["test"]
    images = ["anomaly_map", "reconstruction"] if reconstructs(smoke_model.bundle) else ["anomaly_map"]
    with (out / "scores.csv").open() as file:
        cases = [row["case"] for row in csv.DictReader(file)]
    assert len(cases) == len(items) == 8
    for item in items:
        source = nibabel.load(real_data / "lgg_3d" / item["image"])
        case = next(case for case in cases if case in item["image"] or item["subject_id"] in case)
        for name in ("mask", *images):
            written = nibabel.load(out / case / f"{case}_{name}.nii.gz")
            assert written.shape == source.shape
            np.testing.assert_allclose(written.affine, source.affine, atol=1e-4)
    paths = {**smoke_model.paths, "dataset_dir": real_data / "lgg_3d"}
    build(smoke_model.bundle, "train evaluate smoke", **paths, output_dir=tmp_path / "eval").run()
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert metrics["image_auroc"]["value"] is None and "normal" in metrics["image_auroc"]["reason"]
    assert 0 <= metrics["pixel_ap"]["low"] <= metrics["pixel_ap"]["value"] <= metrics["pixel_ap"]["high"] <= 1


@pytest.mark.one_bundle
@pytest.mark.parametrize("folder", ["ms_3d", "healthy_3d", "dicom/mr_vs_seg_001", "dicom/head_torchio_17"])
def test_other_inputs_run(infer: Infer, real_data: Path, tmp_path: Path, folder: str) -> None:
    out = infer(tmp_path / "out", dataset_dir=real_data / folder)
    maps = sorted(out.rglob("*_anomaly_map.nii.gz"))
    assert maps
    for path in maps:
        assert np.isfinite(np.asarray(nibabel.load(path).dataobj)).all()
