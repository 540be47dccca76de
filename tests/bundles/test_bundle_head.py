# SPDX-License-Identifier: Apache-2.0
"""Heads in every bundle that is for them: the value range that its network expects."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from bundle_tools import BUNDLES, build
from medad.transforms import HeadMaskd

WITH_HEADS = [bundle for bundle in BUNDLES if (bundle / "configs" / "head_mri.json").is_file()]


def _head(path: Path) -> None:
    """A slice with scalp and brain."""
    x, y = np.meshgrid(np.arange(96, dtype=np.float32), np.arange(96, dtype=np.float32), indexing="ij")
    radius = np.hypot((x - 40) / 30, (y - 50) / 40)
    values = np.where(radius < 1, 900.0, 0.0) - np.where(radius < 0.85, 800.0, 0.0)
    nibabel.save(nibabel.Nifti1Image((values + np.sin(x) * (radius < 1))[..., None], np.eye(4)), path)


@pytest.mark.parametrize("method", WITH_HEADS, ids=[bundle.name for bundle in WITH_HEADS])
def test_tissue_has_its_value_and_nothing_is_beyond_the_clip(method: Path, tmp_path: Path) -> None:
    _head(tmp_path / "head.nii.gz")
    parser = build(method, "inference head_mri smoke", "infer", ckpt_path=tmp_path / "none.pt").parser
    assert any(isinstance(step, HeadMaskd) for step in parser.get_parsed_content("normalization"))
    case: dict[str, Any] = parser.get_parsed_content("preprocessing")({"image": str(tmp_path / "head.nii.gz")})
    image, size = case["image"].as_tensor()[0, ..., 0], parser.get_parsed_content("image_size")
    tissue, clip = (float(parser.get_parsed_content(key)) for key in ("tissue_value", "intensity_clip"))
    assert list(image.shape) == size and float(case["foreground"].float().mean()) > 0.6
    inside = image[size[0] // 4 : -size[0] // 4, size[1] // 4 : -size[1] // 4]
    assert float(inside.median()) == pytest.approx(tissue, rel=0.02)
    assert float(image.max()) == pytest.approx(clip) and float(image.min()) == 0.0
