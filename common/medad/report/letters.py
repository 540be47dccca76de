# SPDX-License-Identifier: Apache-2.0
"""Letters at the edges of a picture say where the body goes on: A front, P back, L left, R right, S head, I feet.

They stand on a black margin of their own, so they hide nothing and read alike on a light and on a dark page.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

RGB = npt.NDArray[np.uint8]

LETTER_COLOR = (190, 200, 212)
_MARGIN = 1 / 16
_SMALLEST = 96


def margin_of(size: int) -> int:
    """Width of the margin, which is part of the size of a picture; a tiny one has no room for letters."""
    return round(_MARGIN * size) if size >= _SMALLEST else 0


def add_letters(picture: RGB, letters: tuple[str, str, str, str], margin: int) -> RGB:
    """Frame a picture with its letters.

    Args:
        picture: ``(rows, columns, 3)``.
        letters: for the left, right, upper and lower edge.
        margin: width of the frame in pixels.

    Returns:
        A picture that is larger by the margin on all sides.
    """
    if margin == 0:
        return picture
    image = Image.fromarray(np.pad(picture, ((margin, margin), (margin, margin), (0, 0))))
    draw, font = ImageDraw.Draw(image), _font(margin - 1)
    middle = (image.width / 2, image.height / 2)
    left, right, top, bottom = (
        (margin / 2, middle[1]),
        (image.width - margin / 2, middle[1]),
        (middle[0], margin / 2),
        (middle[0], image.height - margin / 2),
    )
    for letter, place in zip(letters, (left, right, top, bottom), strict=True):
        draw.text(place, letter, fill=LETTER_COLOR, font=font, anchor="mm")
    return np.asarray(image)


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """A font whose I has serifs; that of Pillow looks like a bar."""
    from matplotlib import get_data_path  # here, so that importing medad does not import matplotlib

    return ImageFont.truetype(Path(get_data_path(), "fonts", "ttf", "DejaVuSansMono-Bold.ttf"), size)
