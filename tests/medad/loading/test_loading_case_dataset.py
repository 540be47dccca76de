# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from medad.errors import MedadError
from medad.loading import (
    CaseDataset,
    CaseLoader,
)
from medad.transforms import CheckImaged, LoadImageFiled, LoadMaskd
from monai.transforms import (
    Compose,
    Lambdad,
)

LOAD = Compose([LoadImageFiled("image"), CheckImaged("image", 1, 2), LoadMaskd()])


def item(case, path, **entries):
    return {"image": str(path), "case": case, "subject_id": case, **entries}


@pytest.fixture
def cohort(png, tmp_path):
    return [
        item("good", png("good.png"), label=0),
        item("flat", png("flat.png", np.zeros((7, 5), np.uint8)), label=0),
        item("gone", tmp_path / "gone.png", label=1),
        item("other", png("other.png"), label=1),
    ]


@pytest.mark.parametrize("workers", [0, 2])
def test_cohort_goes_on(cohort, workers):
    first, second = list(CaseLoader(CaseDataset(cohort, LOAD), 2, 2, num_workers=workers))
    assert first["image"].shape == (1, 1, 5, 7)
    assert [record["case"] for record in first["failures"]] == ["flat"]
    assert "constant image" in first["failures"][0]["failure"]
    assert [case["case"] for case in second["cases"]] == ["other"]
    assert second["cases"][0]["image"].meta["filename_or_obj"].endswith("other.png")
    assert "gone.png: it does not exist" in second["failures"][0]["failure"]


def test_medad_messages_are_verbatim_others_have_their_type(cohort):
    def fail(error):
        def raise_it(_):
            raise error

        return Compose([Lambdad("label", raise_it)])

    record = CaseDataset(cohort, fail(MedadError("calm words")))[0]
    assert record == {"case": "good", "failure": "calm words"}
    assert CaseDataset(cohort, fail(KeyError("secret")))[0]["failure"] == "KeyError: 'secret'"
    assert len(CaseDataset(cohort, LOAD)) == 4


def test_traceback_only_at_debug(cohort, caplog):
    with caplog.at_level("INFO"):
        _ = CaseDataset(cohort, LOAD)[1]
    assert not caplog.text
    with caplog.at_level("DEBUG", "medad"):
        _ = CaseDataset(cohort, LOAD)[1]
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    "circles", [5, "x", {"a": 1}, [[1]], [[1, 2, -3]], [1, 2, 3], [["a", "b", "c"]], [[1, 2, 3, 4]]]
)
def test_circles_that_are_none_cost_their_case(cohort, circles):
    bad, good = (CaseDataset([{**cohort[0], "circles": each}], LOAD)[0] for each in (circles, [[1, 2, 3]]))
    assert "Expected rows of x, y, radius" in bad["failure"] and "failure" not in good
    assert "failure" not in CaseDataset([{**cohort[0], "circles": []}], LOAD)[0]
