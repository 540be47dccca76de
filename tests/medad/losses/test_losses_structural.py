# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from medad.losses import StructuralDissimilarity, dissimilarity_map
from skimage.metrics import structural_similarity


@pytest.mark.parametrize("shape", [(40, 31), (20, 17, 24)])
def test_equals_scikit_image_up_to_the_border(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random(shape), rng.random(shape)
    y = 0.7 * x + 0.3 * y
    reach = 5  # of the window; scikit-image sees the mirrored images, and no border of its own
    _, similarity = structural_similarity(
        np.pad(x, reach, "reflect"),
        np.pad(y, reach, "reflect"),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        full=True,
    )
    ours = dissimilarity_map(torch.tensor(x)[None, None], torch.tensor(y)[None, None])
    assert ours.shape == (1, 1, *shape)
    expected = similarity[(slice(reach, -reach),) * len(shape)]
    np.testing.assert_allclose(1 - ours[0, 0].numpy(), expected, atol=2e-5)


@pytest.mark.parametrize("place", [(2, 3), (0, 0), (20, 31), (31, 16)])
def test_a_spot_stays_where_it_is(place: tuple[int, int]) -> None:
    """A window without padding, stretched back, would move spots near the border by up to five pixels."""
    y = torch.full((1, 1, 32, 32), 0.5)
    x = y.clone()
    x[0, 0, place[0], place[1]] = 1.0
    values = dissimilarity_map(x, y)[0, 0]
    assert values.shape == (32, 32)
    row, column = divmod(int(values.argmax()), 32)
    assert abs(row - place[0]) <= 1 and abs(column - place[1]) <= 1


def test_equal_images_have_none_and_channels_are_averaged() -> None:
    x, y = torch.rand(2, 2, 16, 16), torch.rand(2, 2, 16, 16)
    assert float(dissimilarity_map(x, x).max()) < 1e-6
    each = [dissimilarity_map(x[:, c : c + 1], y[:, c : c + 1]) for c in range(2)]
    torch.testing.assert_close(dissimilarity_map(x, y), (each[0] + each[1]) / 2)


def test_the_loss_is_the_mean_of_the_map_and_can_be_minimized() -> None:
    x, y = torch.rand(2, 1, 16, 16, requires_grad=True), torch.rand(2, 1, 16, 16)
    loss = StructuralDissimilarity()(x, y)
    torch.testing.assert_close(loss, StructuralDissimilarity(reduction="none")(x, y).mean())
    (gradient,) = torch.autograd.grad(loss, x)
    assert float(StructuralDissimilarity()(x - 5 * gradient, y)) < float(loss)


def test_window_and_range_have_an_effect() -> None:
    x, y = torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 16)
    base = dissimilarity_map(x, y)
    for options in ({"window_size": 7}, {"sigma": 3.0}, {"data_range": 5.0}):
        assert not torch.allclose(dissimilarity_map(x, y, **options), base)  # type: ignore[arg-type]


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="window_size=4"):
        StructuralDissimilarity(window_size=4)
    with pytest.raises(ValueError, match="reduction='sum'"):
        StructuralDissimilarity(reduction="sum")
    with pytest.raises(ValueError, match="longer than 5"):
        dissimilarity_map(torch.zeros(1, 1, 5, 16), torch.zeros(1, 1, 5, 16))
    with pytest.raises(ValueError, match="window_size"):
        dissimilarity_map(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8), window_size=2)


def test_neither_mixed_precision_nor_an_inference_before_changes_it() -> None:
    x, y = torch.rand(1, 1, 23, 23), torch.rand(1, 1, 23, 23)  # a size that no other test has put into the cache
    with torch.inference_mode():
        expected = dissimilarity_map(x, y)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(dissimilarity_map(x, y), expected.clone())
    x.requires_grad_()
    dissimilarity_map(x, y).mean().backward()
    assert x.grad is not None and x.grad.isfinite().all()
