# SPDX-License-Identifier: Apache-2.0
"""Meaning of values: whoever loads an image says which values it gives, and they are checked where they are used.

A host may leave the loader of a bundle out and hand over an image of its own. Stored values in the place of displayed
ones give another result, and nothing in the numbers shows it.
"""

from monai.data import MetaTensor
from torch import Tensor

from ..errors import InputError

_ENTRY = "medad_values"
_MEASURED, _DISPLAYED = "measured", "displayed"
_OF_MONAI_DEPLOY = "series_instance_uid"  # what the operator of its SDK for DICOM series puts into the metadata


def values_entry(display: bool) -> dict[str, str]:
    """Give what an image's metadata say of its values.

    Args:
        display: whether they are those that a viewer shows, or those that were measured.

    Returns:
        One entry.
    """
    return {_ENTRY: _DISPLAYED if display else _MEASURED}


def require_values(image: Tensor, display: bool, where: str) -> None:
    """Check that an image has the values that a bundle takes.

    An image without a word about it is a program's own, and taken as measured, unless it is known whose it is.

    Args:
        image: any image.
        display: see :func:`values_entry`.
        where: the image, named in errors.

    Raises:
        InputError: if its values are others, or what they are cannot be known. The host is named.
    """
    meta = image.meta if isinstance(image, MetaTensor) else {}
    found, wanted = meta.get(_ENTRY), values_entry(display)[_ENTRY]
    is_from_deploy = _OF_MONAI_DEPLOY in meta
    if found == wanted or (found is None and not display and not is_from_deploy):
        return
    host = "MONAI Deploy" if is_from_deploy else "another program"
    values = "values that nothing is said about" if found is None else f"{found} values"
    raise InputError(
        f"{host} hands over {values}",
        where=where,
        expected=f"{wanted} values, as the loader of this bundle gives them",
        remedy="Use the application of docs/how_to/monai_deploy.md: its values come from the bundle's loader.",
    )
