# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest
import torch
from medad.errors import InputError
from medad.transforms import LoadImageFiled
from monai.transforms import LoadImaged


def test_missing_key_and_other_keys(png):
    with pytest.raises(InputError, match="no entry 'image'; its entries are case"):
        LoadImageFiled("image")({"case": "a"})
    assert LoadImageFiled("image", allow_missing_keys=True)({"case": "a"}) == {"case": "a"}
    extra = {"image_path": "/a/b", "image_meta_dict": {"x": 1}, "label": 1}
    item = LoadImageFiled("image")({"image": Path(png("a.png")), **extra})
    assert {key: item[key] for key in extra} == extra


def test_is_a_monai_loader_and_gives_metadata_on_request(png):
    loader = LoadImageFiled("image", image_only=False)
    assert isinstance(loader, LoadImaged)
    item = loader({"image": png("a.png")})
    assert item["image_meta_dict"]["filename_or_obj"].endswith("a.png")
    assert LoadImageFiled("image", reader="ITKReader")({"image": png("a.png")})["image"].shape == (1, 5, 7)


def test_array_instead_of_path_is_passed_on():
    image = LoadImageFiled("image")({"image": np.ones((2, 3, 4))})["image"]
    assert image.dtype == torch.float32
    assert image.shape == (2, 3, 4)
