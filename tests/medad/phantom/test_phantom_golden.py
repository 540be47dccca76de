# SPDX-License-Identifier: Apache-2.0
"""The generator is frozen: whoever changes an image raises PHANTOM_VERSION and records these numbers anew."""

import pytest
from medad.phantom import PHANTOM_VERSION, abnormal_phantom, healthy_phantom

# index, size, kind; healthy: mean, value at a third of each axis; abnormal: mean, std in the mask, voxels of the mask
GOLDEN = [
    (0, (64, 64), "hyperintense", 0.280386, 0.556516, 0.283654, 0.175909, 56),
    (1, (64, 64), "hypointense", 0.224615, 0.444607, 0.218000, 0.091637, 128),
    (2, (64, 64), "mass_effect", 0.246747, 0.379408, 0.254561, 0.044906, 140),
    (3, (48, 72), "texture", 0.210330, 0.823659, 0.210310, 0.269431, 21),
    (4, (32, 32, 32), "hyperintense", 0.099283, 0.275259, 0.101847, 0.078174, 406),
    (5, (32, 32, 32), "mass_effect", 0.153960, 0.738528, 0.152283, 0.035479, 200),
    (6, (24, 32, 28), "texture", 0.087112, 0.457409, 0.087130, 0.193319, 166),
    (7, (32, 32, 32), "hypointense", 0.168152, 0.661633, 0.166168, 0.072444, 220),
]


@pytest.mark.parametrize(("index", "size", "kind", "mean", "value", "abnormal_mean", "mask_std", "voxels"), GOLDEN)
def test_images_of_version_1(
    index: int,
    size: tuple[int, ...],
    kind: str,
    mean: float,
    value: float,
    abnormal_mean: float,
    mask_std: float,
    voxels: int,
) -> None:
    assert PHANTOM_VERSION == 1
    healthy = healthy_phantom(11, index, len(size), size)
    image, mask, _ = abnormal_phantom(11, index, len(size), size, kind)
    # platforms may round differently; a voxel on the boundary of the mask may change sides
    assert healthy.mean() == pytest.approx(mean, rel=1e-4)
    assert healthy[tuple(n // 3 for n in size)] == pytest.approx(value, abs=1e-4)
    assert image.mean() == pytest.approx(abnormal_mean, rel=1e-4)
    assert mask.sum() == pytest.approx(voxels, abs=1)
    assert image[mask == 1].std() == pytest.approx(mask_std, rel=1e-2)
