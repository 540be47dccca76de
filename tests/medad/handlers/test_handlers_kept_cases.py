# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from medad.handlers import CaseSaver
from medad.handlers.kept_cases import KeptCases
from medad.loading import CaseDataset
from medad.transforms import FitToGridd, LoadImageFiled
from monai.data import MetaTensor
from monai.transforms import Compose, Lambdad

PICTURE = np.arange(35, dtype=np.uint8).reshape(7, 5)


@pytest.fixture
def kept(png: Any, tmp_path: Path) -> KeptCases:
    """Two cases of an earlier run: one with all its files, one whose map is gone."""
    steps = Compose([LoadImageFiled("image"), FitToGridd("image", (10, 14))])
    items = [{"image": png(f"{name}.png", PICTURE), "case": name, "subject_id": name} for name in "ab"]
    mask = torch.zeros(1, 5, 7, dtype=torch.uint8)
    mask[0, 3, 2] = 1
    CaseSaver(tmp_path / "run").save({"case": "a", "anomaly_map": MetaTensor(torch.rand(1, 5, 7)), "pred": mask})
    (tmp_path / "run" / "scores.csv").write_text("case,dataset,score,p_value,decision\na,x,0.5,0.25,1\nb,,0.125,,\n")
    (tmp_path / "run" / "detections.csv").write_text("case,x,y,size\na,3.00,2.50,9\nother,1,1,1\na,0.00,1.00,4\n")
    return KeptCases(tmp_path / "run", CaseDataset(items, steps))


def test_rows_are_those_of_the_table(kept: KeptCases) -> None:
    assert kept.scores() == [{"anomaly_score": "0.5", "decision": "1"}, {"anomaly_score": "0.125", "decision": ""}]
    assert kept.datasets() == {"x", None}
    found = [(record.name, record.score, record.p_value, record.decision) for record in kept.records()]
    assert found == [("a", 0.5, 0.25, 1), ("b", 0.125, None, None)]


def test_arrays_lie_on_the_grid_of_the_file(kept: KeptCases) -> None:
    arrays = kept.arrays("a")
    assert arrays is not None and "reconstruction" not in arrays
    assert arrays["image"].shape == arrays["anomaly_map"].shape == arrays["mask"].shape == (1, 5, 7)
    np.testing.assert_allclose(arrays["image"][0].numpy(), PICTURE.T, atol=1)
    assert arrays["mask"].nonzero().tolist() == [[0, 3, 2]]
    assert arrays["detections"].tolist() == [[3.0, 2.5, 9.0], [0.0, 1.0, 4.0]]


def test_what_cannot_be_drawn_is_left_out(kept: KeptCases) -> None:
    assert kept.arrays("b") is None  # no map
    assert kept.arrays("nobody") is None
    kept.dataset.transform = Lambdad("image", lambda path: path)  # cannot be inverted
    assert kept.arrays("a") is None


def test_without_tables_there_is_nothing(tmp_path: Path) -> None:
    kept = KeptCases(tmp_path, CaseDataset([], Compose([])))
    assert kept.scores() == kept.records() == [] and kept.datasets() == set()
