# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Any

import pytest
import torch
from medad.errors import InputError
from medad.networks import (
    Autoencoder,
    ConstrainedAutoencoder,
    MemoryAutoencoder,
    PerceptualAutoencoder,
    SpatialAutoencoder,
    VariationalAutoencoder,
)
from medad.networks.autoencoders.memory_autoencoder import Memory
from medad.networks.autoencoders.vgg19_features import VGG19Features

SMALL: dict[str, Any] = {"channels": (4, 8), "latent_size": 3, "hidden_size": 16}
FAMILY = [Autoencoder, ConstrainedAutoencoder, MemoryAutoencoder, SpatialAutoencoder, VariationalAutoencoder]
GRIDS = [(2, (16, 24)), (3, (8, 12, 4))]


def first(outputs: Any) -> torch.Tensor:
    """What a network in training mode reconstructs, whatever else it gives."""
    reconstruction: torch.Tensor = outputs[0] if isinstance(outputs, tuple) else outputs
    return reconstruction


@pytest.mark.parametrize(("spatial_dims", "size"), GRIDS)
@pytest.mark.parametrize("kind", FAMILY)
def test_shape_gradient_and_torchscript(kind: Any, spatial_dims: int, size: tuple[int, ...]) -> None:
    network = kind(spatial_dims, 2, 2, image_size=size, **SMALL)
    x = torch.rand(3, 2, *size)
    outputs = network(x)
    assert first(outputs).shape == x.shape
    total = sum(part.square().mean() for part in (outputs if isinstance(outputs, tuple) else (outputs,)))
    total.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    network.eval()
    assert isinstance(network(x), torch.Tensor) and network(x).shape == x.shape
    torch.testing.assert_close(torch.jit.script(network)(x), network(x))


@pytest.mark.parametrize("kind", FAMILY)
def test_evaluation_repeats_itself_and_a_sample_does_not_see_its_batch(kind: Any) -> None:
    network = kind(2, 1, 1, image_size=(16, 16), **SMALL).eval()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    x = torch.rand(4, 1, 16, 16)
    torch.testing.assert_close(network(x), network(x), rtol=0, atol=0)
    torch.testing.assert_close(network(x)[1:2], network(x[1:2]))
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("kind", [*FAMILY, PerceptualAutoencoder])
def test_every_class_builds_with_its_defaults(kind: Any) -> None:
    network = kind(2, 1, 1, image_size=(64, 64)).eval()
    assert network(torch.zeros(1, 1, 64, 64)).shape == (1, 1, 64, 64)


def test_published_sizes() -> None:
    # counted from the description; the benchmark's own tables misstate one of its networks tenfold
    for latent_size, parameters in ((4, 2_326_596), (16, 2_351_184), (128, 2_580_672)):
        network = Autoencoder(2, 1, 1, image_size=(64, 64), latent_size=latent_size)
        assert sum(p.numel() for p in network.parameters()) == parameters
    assert sum(p.numel() for p in Autoencoder(2, 1, 1, image_size=(128, 128)).parameters()) == 8_645_712


@pytest.mark.parametrize("latent_size", [1, 5])
def test_only_the_code_reaches_the_decoder(latent_size: int) -> None:
    network = Autoencoder(2, 1, 1, image_size=(16, 16), channels=(4, 8), latent_size=latent_size).eval()
    with torch.no_grad():
        codes = network.encode(torch.rand(2, 1, 16, 16))
    assert codes.shape == (2, latent_size)
    jacobian = torch.autograd.functional.jacobian(lambda x: network(x).flatten(), torch.rand(1, 1, 16, 16))
    assert int(torch.linalg.matrix_rank(jacobian.reshape(256, 256))) <= latent_size


def test_the_spatial_code_is_counted_in_numbers() -> None:
    assert SpatialAutoencoder(2, 1, 1, image_size=(64, 64), latent_size=16).code_size == 256
    assert SpatialAutoencoder(3, 1, 1, image_size=(16, 16, 16), channels=(4, 4), latent_size=2).code_size == 128


def test_the_variational_code_is_drawn_in_training_and_is_the_mean_in_evaluation() -> None:
    network = VariationalAutoencoder(2, 1, 1, image_size=(16, 16), **SMALL)
    x = torch.rand(2, 1, 16, 16)
    with torch.no_grad():
        one, mean, log_variance = network(x)
        other, _, _ = network(x)
    assert mean.shape == log_variance.shape == (2, 3)
    assert not torch.equal(one, other)
    network.eval()
    mean, log_variance = network.posterior(x)
    torch.testing.assert_close(network(x), network.decode(mean), rtol=0, atol=0)
    with torch.no_grad():
        network.decode = lambda code: code  # type: ignore[method-assign]
        codes = torch.stack([network.training_outputs(x)[0] for _ in range(4000)])
    torch.testing.assert_close(codes.mean(0), mean.detach(), atol=0.08, rtol=0)
    torch.testing.assert_close(codes.std(0), (0.5 * log_variance.detach()).exp(), atol=0.08, rtol=0)


def test_the_constrained_network_encodes_its_reconstruction() -> None:
    network = ConstrainedAutoencoder(2, 1, 1, image_size=(16, 16), **SMALL)
    x = torch.rand(4, 1, 16, 16)
    reconstruction, code, again = network(x)
    torch.testing.assert_close(code, network.encode(x))
    torch.testing.assert_close(again, network.encode(reconstruction))


def test_memory_against_float64() -> None:
    memory = Memory(slots=5, size=3, shrink=0.1)
    code = 3 * torch.randn(7, 3)
    mixed, weights = memory(code)
    vectors = memory.vectors.detach().double()
    exact = torch.softmax(code.double() @ vectors.T, dim=1)
    # the equation of the paper, division by |w - lambda| included
    exact = (exact - 0.1).clamp(min=0) * exact / ((exact - 0.1).abs() + 1e-12)
    exact = exact / exact.abs().sum(dim=1, keepdim=True)
    torch.testing.assert_close(weights.double(), exact, atol=1e-6, rtol=0)
    torch.testing.assert_close(mixed.double(), exact @ vectors, atol=1e-6, rtol=0)
    assert (weights == 0).any()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(7))


def test_equal_weights_survive_the_shrinking() -> None:
    mixed, weights = Memory(slots=25, size=4, shrink=0.0025)(torch.zeros(1, 4))
    torch.testing.assert_close(weights, torch.full((1, 25), 0.04))
    assert mixed.isfinite().all()


@pytest.mark.parametrize("kind", FAMILY)
def test_wrong_arguments_are_named(kind: Any) -> None:
    with pytest.raises(ValueError, match="spatial_dims=1"):
        kind(1, 1, 1, image_size=(16,), **SMALL)
    with pytest.raises(ValueError, match="latent_size=0"):
        kind(2, 1, 1, image_size=(16, 16), latent_size=0)
    with pytest.raises(ValueError, match="image of size"):
        kind(2, 1, 1, image_size=(16, 16), **SMALL)(torch.zeros(2, 1, 17, 16))


@pytest.mark.parametrize("size", [(16,), (18, 16), (0, 16)])
@pytest.mark.parametrize("kind", FAMILY)
def test_a_grid_that_does_not_fit_is_refused(kind: Any, size: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="image_size"):
        kind(2, 1, 1, image_size=size, **SMALL)


@pytest.mark.parametrize(
    ("slots", "shrink", "named"), [(0, 0.0, "memory_size"), (4, 0.25, "shrink"), (4, -1, "shrink")]
)
def test_a_memory_that_forgets_everything_is_refused(slots: int, shrink: float, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Memory(slots, 2, shrink)


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file laid out as torchvision's, with the layers after relu4_2 and the classifier in it."""
    torch.manual_seed(1)
    state = {f"features.{name}": value for name, value in VGG19Features().features.state_dict().items()}
    state |= {"features.23.weight": torch.zeros(512, 512, 3, 3), "classifier.0.bias": torch.zeros(4096)}
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.save(state, path)
    return path


def test_perceptual_network_trains_around_a_frozen_one(vgg_file: Path) -> None:
    network = PerceptualAutoencoder(2, 1, 1, image_size=(32, 32), vgg_path=vgg_file, **SMALL)
    frozen = {name: value.clone() for name, value in network.vgg.state_dict().items()}
    batches = [torch.rand(2, 1, 32, 32) for _ in range(3)]
    for x in batches:
        reconstruction, features, reference = network(x)
        assert reconstruction.shape == x.shape
        assert features.shape == reference.shape == (2, 512, 4, 4)
    (features - reference).abs().mean().backward()
    assert all(p.grad is None for p in network.vgg.parameters())
    assert network.decoder[-1].weight.grad is not None
    assert all(torch.equal(value, frozen[name]) for name, value in network.vgg.state_dict().items())
    # statistics: over the images that were seen, here as the mean of the batches' moments
    raw = [network.vgg(x).double() for x in batches]
    mean = torch.stack([r.mean(dim=(0, 2, 3)) for r in raw]).mean(0)
    variance = torch.stack([r.transpose(0, 1).flatten(1).var(dim=1) for r in raw]).mean(0)
    torch.testing.assert_close(network.statistics.running_mean.double(), mean, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(network.statistics.running_var.double(), variance, rtol=1e-3, atol=1e-8)
    network.eval()
    expected = (network.vgg(batches[0]) - network.statistics.running_mean.view(1, -1, 1, 1)) / (
        network.statistics.running_var.view(1, -1, 1, 1) + 1e-5
    ).sqrt()
    torch.testing.assert_close(network.features(batches[0]), expected, rtol=1e-4, atol=1e-5)
    # the weights travel in model.pt: no file is needed any more
    other = PerceptualAutoencoder(2, 1, 1, image_size=(32, 32), **SMALL).eval()
    other.load_state_dict(network.state_dict(), strict=True)
    torch.testing.assert_close(other.features(batches[0]), network.features(batches[0]))
    scripted = torch.jit.script(network)
    torch.testing.assert_close(scripted.features(batches[0]), network.features(batches[0]))


def test_perceptual_network_says_what_is_missing(vgg_file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--vgg_path"):
        PerceptualAutoencoder(2, 1, 1, image_size=(16, 16), **SMALL)(torch.zeros(2, 1, 16, 16))
    with pytest.raises(InputError, match="no such file"):
        PerceptualAutoencoder(2, 1, 1, image_size=(16, 16), vgg_path=tmp_path / "none.pth")
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="do not fit"):
        VGG19Features(tmp_path / "other.pth")
    with pytest.raises(InputError, match="volume_3d"):
        PerceptualAutoencoder(3, 1, 1, image_size=(16, 16, 16), vgg_path=vgg_file)
    with pytest.raises(InputError, match="1 or 3 channels"):
        PerceptualAutoencoder(2, 2, 2, image_size=(16, 16), vgg_path=vgg_file)


def test_gray_and_color_meet_the_same_vgg(vgg_file: Path) -> None:
    gray = torch.rand(1, 1, 16, 16)
    vgg = VGG19Features(vgg_file)
    torch.testing.assert_close(vgg(gray), vgg(gray.repeat(1, 3, 1, 1)))
