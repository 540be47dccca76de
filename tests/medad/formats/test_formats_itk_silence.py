# SPDX-License-Identifier: Apache-2.0
import itk
import pytest
from medad.formats.itk_silence import silent_itk


def test_itk_speaks_again_afterwards() -> None:
    assert itk.Object.GetGlobalWarningDisplay()
    with pytest.raises(ValueError, match="x"), silent_itk():
        assert not itk.Object.GetGlobalWarningDisplay()
        raise ValueError("x")
    assert itk.Object.GetGlobalWarningDisplay()
