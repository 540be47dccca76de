# SPDX-License-Identifier: Apache-2.0
import math
from collections.abc import Callable

import pytest
import torch
from medad import checks
from medad.errors import InputError

ACCEPTED: list[Callable[[], None]] = [
    lambda: checks.check_spatial_dims(2),
    lambda: checks.check_at_least(1, a=1, b=math.inf),
    lambda: checks.check_positive(a=1e-9),
    lambda: checks.check_within("[0, 1)", a=0, b=0.99),
    lambda: checks.check_within("(0, 1]", a=1),
    lambda: checks.check_window(a=(-1000, 400), b=None),
    lambda: checks.check_odd(3, a=3),
    lambda: checks.check_choice(("x", "y"), a="y"),
    lambda: checks.check_divides([4, 8], "channels", a=4),
    lambda: checks.check_sizes(2, 8, a=(8, 16)),
    lambda: checks.check_channel_first(torch.zeros(1, 4, 4, 4), 2),
    lambda: checks.require_axes(torch.zeros(1, 1, 4, 4), 2),
]
REFUSED: list[tuple[Callable[[], None], str]] = [
    (lambda: checks.check_spatial_dims(4), "spatial_dims=4: must be 2 or 3."),
    (lambda: checks.check_at_least(1, a=1, b=0), "b=0: must be at least 1."),
    (lambda: checks.check_at_least(1, a=math.nan), "a=nan: must be at least 1."),
    (lambda: checks.check_positive(a=0), "a=0: must be positive."),
    (lambda: checks.check_positive(a=math.inf), "a=inf: must be positive."),
    (lambda: checks.check_within("[0, 1)", a=1), "a=1: must lie in [0, 1)."),
    (lambda: checks.check_within("(0, 1]", a=0), "a=0: must lie in (0, 1]."),
    (lambda: checks.check_within("(0, 1]", a=math.nan), "a=nan: must lie in (0, 1]."),
    (lambda: checks.check_window(a=[4, 1]), "a=[4, 1]: two finite numbers are expected, the lower one first."),
    (lambda: checks.check_window(a=(1,)), "a=(1,): two finite numbers are expected, the lower one first."),
    (lambda: checks.check_window(a=1), "a=1: two finite numbers are expected, the lower one first."),  # type: ignore[arg-type]
    (lambda: checks.check_window(a="hu"), "a=hu: two finite numbers are expected, the lower one first."),
    (lambda: checks.check_odd(a=2), "a=2: must be odd and at least 1."),
    (lambda: checks.check_odd(3, a=1), "a=1: must be odd and at least 3."),
    (lambda: checks.check_choice(("x", "y"), a="z"), "a='z': must be one of ('x', 'y')."),
    (lambda: checks.check_divides(6, "width", a=4), "a=4: must divide width=6."),
    (lambda: checks.check_divides((4, 6), "channels", a=4), "a=4: must divide channels=[4, 6]."),
    (lambda: checks.check_divides(6, "width", a=0), "a=0: must divide width=6."),
    (lambda: checks.check_sizes(2, a=(4, 4, 4)), "a=(4, 4, 4): 2 entries are expected."),
    (lambda: checks.check_sizes(2, a=(4, 0)), "a=(4, 0): every entry must be at least 1."),
    (lambda: checks.check_sizes(2, 8, a=(8, 12)), "a=(8, 12): every entry must be a multiple of 8."),
    (lambda: checks.check_sizes(2, 8, a=(8, 0)), "a=(8, 0): every entry must be a multiple of 8."),
    (
        lambda: checks.check_channel_first(torch.zeros(1, 4, 4), 3),
        "shape (1, 4, 4): (C, *spatial) with spatial_dims=3 is expected.",
    ),
]


@pytest.mark.parametrize("check", ACCEPTED)
def test_what_fits_passes(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize(("check", "message"), REFUSED)
def test_what_does_not_fit_is_named(check: Callable[[], None], message: str) -> None:
    with pytest.raises(ValueError, match=r"must|expected") as caught:
        check()
    assert str(caught.value) == message


def test_training_images_of_other_axes_are_refused() -> None:
    with pytest.raises(InputError, match="1 spatial axes found"):
        checks.require_axes(torch.zeros(1, 1, 4), 2)


def test_a_switch_is_true_or_false() -> None:
    checks.require_flag("out", resume=True, overwrite=False)
    for text in ("false", "True", 1, None):
        with pytest.raises(InputError, match=r"out: resume .* given. Expected True or False"):
            checks.require_flag("out", resume=text)
