# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from medad.errors import InputError
from medad.formats import DisplayedImageReader, MedicalImageReader
from medad.formats.dicom_measured import as_measured
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

SLICE = np.arange(12, dtype=np.uint16).reshape(4, 3)


def lut(count=12, first=0):
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType = [count, first, 16], "US"
    item.add_new("LUTData", "OW", (60000 - 5000 * np.arange(12)).astype("<u2").tobytes())
    return {"ModalityLUTSequence": Sequence([item]), "RescaleSlope": None, "RescaleIntercept": None}


def load(path, reader=MedicalImageReader):
    image = reader()
    return image.get_data(image.read(str(path)))[0]


@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("reader", [MedicalImageReader, DisplayedImageReader])
def test_a_modality_lut_takes_the_place_of_slope_and_intercept(dicom, syntax, reader):
    given = {} if syntax is None else {"syntax": syntax}
    path = dicom("a.dcm", SLICE, **given, **lut())
    np.testing.assert_array_equal(load(path, reader), 60000 - 5000.0 * SLICE.T)


def test_a_window_after_a_modality_lut_has_its_range(dicom):
    path = dicom("a.dcm", SLICE, WindowCenter=30000.5, WindowWidth=60001, **lut())
    np.testing.assert_allclose(load(path, DisplayedImageReader), (1 - SLICE.T / 12) * 65535, atol=0.5)


def test_a_damaged_lut_is_named(dicom):
    with pytest.raises(InputError, match=r"Modality LUT cannot be applied .*12 entries that announces 50"):
        load(dicom("a.dcm", SLICE, **lut(count=50)))


@pytest.mark.parametrize(("slope", "intercept"), [(0, 1), ("x", 1), (float("inf"), 1)])
def test_a_rescale_that_gives_no_values(slope, intercept):
    with pytest.raises(InputError, match=r"b\.dcm: a rescale slope or intercept"):
        as_measured(SLICE, dict(RescaleSlope=slope, RescaleIntercept=intercept), "b.dcm")
    np.testing.assert_array_equal(as_measured(SLICE, dict(RescaleSlope="", RescaleIntercept=-7), "b.dcm"), SLICE - 7.0)
