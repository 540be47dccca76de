# SPDX-License-Identifier: Apache-2.0
"""What a viewer shows of a DICOM file, against formulas of the standard written out here."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from medad.errors import InputError
from medad.formats import DisplayedImageReader, MedicalImageReader
from medad.transforms import LoadImageFiled
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

STORED = np.arange(0, 4096, 100, dtype=np.uint16)[:40].reshape(8, 5)
MG = "1.2.840.10008.5.1.4.1.1.1.2"  # Digital Mammography X-Ray Image Storage, for presentation
TAGS = {
    "SOPClassUID": MG, "Modality": "MG", "BitsStored": 12, "HighBit": 11, "RescaleSlope": 1, "RescaleIntercept": 0,
    "ImagePositionPatient": None, "ImageOrientationPatient": None, "PixelSpacing": None,
    "ImagerPixelSpacing": [0.07, 0.05],
}  # fmt: skip


def _read(path: str, reader: type[MedicalImageReader] = DisplayedImageReader) -> np.ndarray:
    return np.asarray(LoadImageFiled("image", reader=reader)({"image": path})["image"])[0].T


def test_a_mammogram_is_an_image_with_its_spacing(dicom: Callable[..., str]) -> None:
    image = LoadImageFiled("image", display=True)({"image": dicom("m.dcm", STORED, **TAGS)})["image"]
    assert image.shape == (1, 5, 8)
    np.testing.assert_allclose(image.pixdim[:2], [0.05, 0.07])
    np.testing.assert_array_equal(image[0].T, STORED)


@pytest.mark.parametrize("signed", [False, True])
def test_monochrome1_is_turned_over(signed: bool, dicom: Callable[..., str]) -> None:
    stored = STORED.astype(np.int16) - 2000 if signed else STORED
    tags = TAGS | {"PixelRepresentation": int(signed), "RescaleSlope": 2, "RescaleIntercept": -7}
    path = dicom("m.dcm", stored, PhotometricInterpretation="MONOCHROME1", **tags)
    low, high = (-2048, 2047) if signed else (0, 4095)
    np.testing.assert_array_equal(_read(path), 2.0 * (low + high) - 14 - (2.0 * stored - 7))
    np.testing.assert_array_equal(_read(path, MedicalImageReader), 2.0 * stored - 7)  # values with a unit stay


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_the_first_window_is_applied(kind: str, dicom: Callable[..., str]) -> None:
    window = {"WindowCenter": [2000, 100], "WindowWidth": [1001, 10]}
    found = _read(dicom("m.dcm", STORED, PhotometricInterpretation=kind, **window, **TAGS))
    expected = np.clip((STORED - (2000 - 0.5)) / 1000 + 0.5, 0, 1) * 4095  # PS3.3 C.11.2.1.2.1
    np.testing.assert_allclose(found, expected if kind == "MONOCHROME2" else 4095 - expected, atol=1e-3)


@pytest.mark.parametrize("display", [False, True])
def test_a_host_with_its_own_order_of_slices_gets_the_same_values(display: bool, dicom: Callable[..., str]) -> None:
    window = {"WindowCenter": 2000, "WindowWidth": 1001}
    files = [dicom(f"{name}.dcm", STORED + name, **window, **TAGS) for name in range(3)]
    loader = LoadImageFiled("image", display=display)
    expected = [np.asarray(loader({"image": files[name]})["image"])[0].T for name in (2, 0, 1)]
    np.testing.assert_array_equal(loader.dicom_slices([files[name] for name in (2, 0, 1)]), expected)


@pytest.mark.parametrize("bits", [8, 10])
def test_a_lookup_table_wins_over_a_window(bits: int, dicom: Callable[..., str]) -> None:
    table, highest = Dataset(), 2**bits - 1
    table.LUTDescriptor, table.LUTData = [4096, 0, bits], [min(highest, value // 2) for value in range(4096)]
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    tags: dict[str, Any] = TAGS | {"VOILUTSequence": Sequence([table]), "WindowCenter": 5, "WindowWidth": 2}
    expected = np.minimum(highest, STORED // 2)
    np.testing.assert_array_equal(_read(dicom("m.dcm", STORED, **tags)), expected)
    inverted = dicom("i.dcm", STORED, PhotometricInterpretation="MONOCHROME1", **tags)
    np.testing.assert_array_equal(_read(inverted), highest - expected)


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_a_negative_slope_turns_nothing_over(kind: str, dicom: Callable[..., str]) -> None:
    window = {"WindowCenter": 2000, "WindowWidth": 3001, "PhotometricInterpretation": kind, "VOILUTFunction": ""}
    plain = dicom("p.dcm", 4095 - STORED, **window, **TAGS)
    negative = dicom("n.dcm", STORED, **window, **TAGS | {"RescaleSlope": -1, "RescaleIntercept": 4095})
    np.testing.assert_allclose(_read(negative), _read(plain), atol=1e-3)


def test_an_impossible_window_is_named(dicom: Callable[..., str]) -> None:
    path = dicom("m.dcm", STORED, WindowCenter=5, WindowWidth=0, **TAGS)
    with pytest.raises(InputError, match=r"m\.dcm: its window or lookup table cannot be applied .*positive width"):
        _read(path)
    np.testing.assert_array_equal(_read(path, MedicalImageReader), STORED)


def test_a_header_that_says_both_bright_and_dark_is_refused(dicom: Callable[..., str]) -> None:
    path = dicom("m.dcm", STORED, PresentationLUTShape="INVERSE", **TAGS)
    with pytest.raises(InputError, match="MONOCHROME2 beside the PresentationLUTShape INVERSE") as caught:
        _read(path)
    assert "correct PresentationLUTShape" in str(caught.value) and "WindowCenter" not in str(caught.value)
    np.testing.assert_array_equal(_read(path, MedicalImageReader), STORED)
    both = dicom("i.dcm", STORED, PresentationLUTShape="INVERSE", PhotometricInterpretation="MONOCHROME1", **TAGS)
    np.testing.assert_array_equal(_read(both), 4095 - STORED)
