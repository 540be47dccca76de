# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from medad.formats.dicom_table import apply_table, highest_entry
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian


def header(syntax=ExplicitVRLittleEndian):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    return ds


def table(data, first=0, bits=16, count=None):
    ds = Dataset()
    ds.add_new("LUTDescriptor", "US", [len(data) if count is None else count, first % 2**16, bits])
    ds.add_new("LUTData", "OW" if isinstance(data, bytes) else "US", data)
    return ds


ENTRIES = [7, 5, 3, 60000]


@pytest.mark.parametrize(
    ("data", "syntax", "count"),
    [
        (ENTRIES, ExplicitVRLittleEndian, 4),
        (np.array(ENTRIES, "<u2").tobytes(), ExplicitVRLittleEndian, 4),
        (np.array(ENTRIES, ">u2").tobytes(), ExplicitVRBigEndian, 4),
    ],
)
def test_values_from_outside_get_the_ends(data, syntax, count):
    found = apply_table(np.array([[-9, 0, 1], [2, 3, 99]]), table(data, count=count), header(syntax))
    np.testing.assert_array_equal(found, [[7, 7, 5], [3, 60000, 60000]])
    assert found.dtype == np.float32


def test_entries_of_one_byte():
    found = apply_table(np.arange(4), table(bytes([7, 5, 3, 200]), bits=8, count=4), header())
    np.testing.assert_array_equal(found, [7, 5, 3, 200])
    assert highest_entry(table(ENTRIES, bits=12)) == 4095


def test_a_first_value_below_zero_whatever_its_type():
    values = np.array([-1025, -1024, -1023, 5.0])
    np.testing.assert_array_equal(apply_table(values, table(ENTRIES, first=-1024), header()), [7, 7, 5, 60000])
    np.testing.assert_array_equal(apply_table(values + 65536, table(ENTRIES, first=-1024), header()), [7, 7, 5, 60000])


def test_a_table_of_all_values_says_zero_entries():
    entries = np.arange(2**16)[::-1].tolist()
    found = apply_table(np.array([0, 1, 65535]), table(entries, count=0), header())
    np.testing.assert_array_equal(found, [65535, 65534, 0])


def test_a_table_that_is_too_short():
    with pytest.raises(ValueError, match="4 entries that announces 9"):
        apply_table(np.zeros(2), table(ENTRIES, count=9), header())
