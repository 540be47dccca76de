# SPDX-License-Identifier: Apache-2.0
"""The operator of the SDK alone, with every bundle: the heatmap that it passes on is that of medad.

The mask goes through the tests of the application.
"""

from pathlib import Path

import numpy as np
from deploy_tools import Exported, run

AFFINE = np.array([[0.0, 0.0, 1.5, -7.0], [-0.8, 0.0, 0.0, 12.0], [0.0, 1.1, 0.0, 3.0], [0.0, 0.0, 0.0, 1.0]])
PROGRAM = Path(__file__).with_name("operator_alone.py")


def test_the_heatmap_of_a_volume(exported: Exported, volume: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "volume.npz", volume=volume, affine=AFFINE)
    done = run(tmp_path, PROGRAM, "--input", "volume.npz", "--model", exported.heatmap, "--output", "out")
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "out" / "pred.npy")
    expected = exported.detector("output_heatmap")(volume, affine=AFFINE).mask
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)
    assert (found.min(), found.max()) == (0, 255)
