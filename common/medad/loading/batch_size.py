# SPDX-License-Identifier: Apache-2.0
"""Batch sizes: 1 where images differ in shape, and no last batch of one image where that cannot be trained on."""

from collections.abc import Sequence, Sized

from ..datalists.items import Item, image_paths
from ..errors import InputError
from ..formats.dicom_image import is_dicom_volume
from ..formats.file_types import has_geometry, is_dicom
from ..formats.npz_reference import is_npz_reference, is_npz_volume
from ..formats.paths import is_folder
from ..formats.raster import count_pages


def last_batch_is_single(samples: Sized, batch_size: int) -> bool:
    """Say whether the last of several batches would hold one image, which batch normalization cannot train on.

    Args:
        samples: what the loader draws from, a data set or a sampler.
        batch_size: images per batch.

    Returns:
        Value for ``drop_last``: with it an epoch leaves one image out, another one each time.
    """
    return len(samples) > batch_size > 1 and len(samples) % batch_size == 1


def loader_batch_size(datalist: Sequence[Item], batch_size: int, spatial_dims: int) -> int:
    """Return 1 where a 2D network meets volumes, which differ in depth, else ``batch_size``.

    Only names and headers are looked at; every NIfTI, MetaImage and NRRD file counts as a volume.

    Args:
        datalist: items of a data list.
        batch_size: wanted for images of one shape.
        spatial_dims: 2 or 3, that of the network.

    Returns:
        The batch size for the data loader.
    """
    if batch_size > 1 and spatial_dims == 2 and any(map(is_volume, datalist)):
        return 1
    return batch_size


def is_volume(item: Item) -> bool:
    """Say whether the image of an item is a volume, by name and header; every NIfTI file counts as one."""
    path = image_paths(item)[0]
    if is_npz_reference(path):
        return is_npz_volume(path)
    if has_geometry(path):
        return True
    if is_folder(path) or is_dicom(path):
        try:
            return is_dicom_volume(path)
        except InputError:
            return False
    return count_pages(path) > 1
