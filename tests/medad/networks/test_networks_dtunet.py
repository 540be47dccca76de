# SPDX-License-Identifier: Apache-2.0
import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from medad.networks import DTUNet, place_network, read_weights
from monai.inferers import DiffusionInferer
from monai.networks.schedulers import DDPMScheduler
from torch import Tensor, nn

SMALL: dict[str, Any] = {
    "patch_size": 4,
    "hidden_size": 16,
    "depth": 2,
    "num_heads": 2,
    "mlp_ratio": 2,
    "time_channels": 8,
    "norm_groups": 4,
}
VARIANTS: list[dict[str, Any]] = [
    {},
    {"feed_forward": "mlp"},
    {"time_conditioning": "token"},
    {"feed_forward": "mlp", "time_conditioning": "token"},
]
SIZES = [(8, 12), (8, 4, 8)]
CASES = [(variant, size) for variant in VARIANTS for size in SIZES]


def _network(image_size: tuple[int, ...] = (8, 12), channels: int = 1, random: bool = True, **arguments: Any) -> DTUNet:
    """A network that depends on all its inputs as strongly as a trained one."""
    network = DTUNet(len(image_size), channels, channels, image_size, **{**SMALL, **arguments})
    for parameter in network.parameters() if random else ():
        nn.init.normal_(parameter, std=0.3)
    return network


@pytest.mark.parametrize(("variant", "size"), CASES)
def test_shape_gradient_and_torchscript(variant: dict[str, Any], size: tuple[int, ...]) -> None:
    network = DTUNet(len(size), 3, 2, size, **SMALL, **variant)
    x, timesteps = torch.randn(2, 3, *size), torch.tensor([4, 700])
    y = network(x, timesteps)
    assert y.shape == (2, 2, *size)
    y.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    scripted = torch.jit.script(network)
    torch.testing.assert_close(scripted(x, timesteps), y)
    torch.testing.assert_close(scripted(x), network(x))
    traced = torch.jit.trace(network, (x, timesteps), check_trace=False)
    torch.testing.assert_close(traced(x[:1], timesteps[1:]), network(x[:1], timesteps[1:]))


@pytest.mark.parametrize(("variant", "size"), CASES)
def test_every_variant_learns_from_batches_of_one_image(variant: dict[str, Any], size: tuple[int, ...]) -> None:
    """Faults F2, F3, F4 of the published code: tuples, undefined names and batch statistics stop its training."""
    torch.manual_seed(0)
    network = _network(size, random=False, **variant)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2, weight_decay=0.0)
    x, noise, losses = torch.rand(1, 1, *size), torch.randn(1, 1, *size), []
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    for _ in range(20):
        loss = (network(x + noise, torch.tensor([100])) - noise).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.5 * losses[0]
    unchanged = {name for name, weight in network.state_dict().items() if torch.equal(weight, before[name])}
    # of the last block the first token is dropped, and nothing asks for what only this token is multiplied by
    assert all("out_blocks.0.feed_forward.excitation" in name for name in unchanged)


def _count(*arguments: Any, **options: Any) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in DTUNet(*arguments, **options).parameters())


def _linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def _published_size(time: int, token_time: bool, blocks: int, heads: int, aggregation: bool) -> int:
    """Parameters at 256x256 with one channel, patches of 16 and 768 channels, layer by layer."""
    dim, patches, norm = 768, 16 * 16, 2 * 768
    embedding = 2 + 2 * dim  # the two affine layers
    for source, width in ((1, 96), (96, 192), (192, 384), (384, 768)):
        embedding += 9 * source * width + width + 2 * width
    time_out = dim if token_time else 4 * time
    embedding += _linear(time, 4 * time) + _linear(4 * time, time_out)
    embedding += patches * dim if token_time else dim  # position, or class token
    attention = dim * 3 * dim + _linear(dim, dim)
    attention += _linear(dim // heads, dim) + norm + heads * dim
    feed_forward = _linear(dim, 4 * dim) + _linear(4 * dim, dim)
    if aggregation:
        feed_forward += 9 * 4 * dim + 4 * dim  # depth-wise
        feed_forward += 2 * 4 * dim + 2 * 4 * dim + 2 * dim  # normalizations
        feed_forward += _linear(dim, dim // 4) + _linear(dim // 4, dim)
    block = norm + attention + norm + feed_forward + (0 if token_time else _linear(time_out, 1 + patches))
    skips = (blocks - 1) // 2 * _linear(2 * dim, dim)
    head = norm + _linear(dim, 16 * 16) + 9 + 1
    return embedding + blocks * block + skips + head


def test_published_size() -> None:
    count = _count(2, 1, 1, (256, 256))
    assert count == 63_105_939
    assert count == _published_size(time=256, token_time=False, blocks=7, heads=6, aggregation=True)


def test_published_size_of_the_variant_without_convolutions() -> None:
    """It is described as 105 million; convolutions that make the patches are 3.3 million more than one dense layer."""
    options = {"feed_forward": "mlp", "time_conditioning": "token", "time_channels": 768}
    count = _count(2, 1, 1, (256, 256), depth=12, num_heads=12, **options)
    assert count == 108_591_436
    assert count == _published_size(time=768, token_time=True, blocks=13, heads=12, aggregation=False)
    convolutions = sum(9 * source * width + 3 * width for source, width in ((1, 96), (96, 192), (192, 384), (384, 768)))
    assert (count - convolutions + _linear(16 * 16, 768)) / 1e6 == pytest.approx(105, abs=0.5)


def _patchify(x: Tensor, edge: int) -> Tensor:
    """Pixels of a patch one after another, channel by channel: ``(B, N, C * edge ** dims)``."""
    grids = [range(size // edge) for size in x.shape[2:]]
    patches = []
    for place in itertools.product(*grids):
        window = tuple(slice(i * edge, (i + 1) * edge) for i in place)
        patches.append(x[(..., *window)].flatten(1))
    return torch.stack(patches, dim=1)


class _Patches(nn.Module):
    """What the embedding would be, were the pixels of a patch its channels."""

    def forward(self, x: Tensor) -> Tensor:
        grid = [size // 4 for size in x.shape[2:]]
        return _patchify(x, 4).transpose(1, 2).unflatten(2, grid)


class _First(nn.Module):
    """A block that changes nothing."""

    def forward(self, tokens: Tensor, *others: Any) -> Tensor:
        return tokens


@torch.no_grad()
@pytest.mark.parametrize("size", [(8, 12), (4, 8, 12)])
def test_pixels_return_to_their_places(size: tuple[int, ...]) -> None:
    """With blocks and layers that change nothing the network is the identity, and skips give what came before."""
    dims, channels = len(size), 2
    hidden = channels * 4**dims
    network = _network(size, channels, random=False, hidden_size=hidden, depth=4)
    network.patch_embedding = _Patches()
    for blocks in (network.in_blocks, network.out_blocks):
        for index in range(2):
            blocks[index] = _First()
    network.middle_block = _First()
    network.norm = nn.Identity()
    for layer in (*network.skips, network.to_pixels):
        layer.bias.zero_()
    network.to_pixels.weight.copy_(torch.eye(hidden))
    for skip in network.skips:  # three times the tokens minus twice the skip
        skip.weight.copy_(torch.cat([3 * torch.eye(hidden), -2 * torch.eye(hidden)], dim=1))
    network.final.bias.zero_()
    nn.init.dirac_(network.final.weight)
    x = torch.randn(2, channels, *size)
    torch.testing.assert_close(network(x), x)


@torch.no_grad()
def test_the_last_out_block_meets_the_first_in_block() -> None:
    network = _network(depth=4)
    seen: dict[str, Tensor] = {}
    for index, block in enumerate(network.in_blocks):
        block.register_forward_hook(lambda _, __, out, name=f"in {index}": seen.update({name: out}))
    for index, skip in enumerate(network.skips):
        skip.register_forward_pre_hook(lambda _, inputs, name=f"skip {index}": seen.update({name: inputs[0]}))
    network(torch.randn(1, 1, 8, 12))
    assert torch.equal(seen["skip 0"][..., 16:], seen["in 1"]) and torch.equal(seen["skip 1"][..., 16:], seen["in 0"])


@torch.no_grad()
@pytest.mark.parametrize(("variant", "size"), CASES)
def test_a_sample_does_not_see_its_batch(variant: dict[str, Any], size: tuple[int, ...]) -> None:
    network, timesteps = _network(size, **variant).double(), torch.tensor([1, 20, 300])
    x = torch.randn(3, 1, *size, dtype=torch.float64)
    for module in (network.train(), network.eval()):
        torch.testing.assert_close(module(x, timesteps)[1:2], module(x[1:2], timesteps[1:2]))


@torch.no_grad()
@pytest.mark.parametrize("variant", VARIANTS)
def test_without_timesteps_all_are_zero_and_timesteps_matter(variant: dict[str, Any]) -> None:
    network, x = _network(**variant), torch.randn(3, 1, 8, 12)
    assert torch.equal(network(x), network(x, torch.zeros(3, dtype=torch.long)))
    later = network(x, torch.tensor([0, 400, 800]))
    torch.testing.assert_close(later[0], network(x)[0])
    assert float((later[1:] - network(x)[1:]).abs().flatten(1).amax(1).min()) > 1e-3


def test_the_time_reaches_every_block() -> None:
    network = _network(depth=4)
    network(torch.randn(2, 1, 8, 12), torch.tensor([3, 600])).square().mean().backward()
    blocks = [*network.in_blocks, network.middle_block, *network.out_blocks]
    assert len(blocks) == 5
    assert all(float(block.shift.numbers[1].weight.grad.abs().max()) > 1e-6 for block in blocks)


@torch.no_grad()
@pytest.mark.parametrize("variant", VARIANTS)
def test_other_sizes_of_images(variant: dict[str, Any]) -> None:
    """What was learned per patch is stretched: smooth over the image, it means the same on both grids."""
    network = _network((8, 8), **variant)
    for size in ((4, 4), (8, 16), (20, 12)):
        assert network(torch.randn(2, 1, *size), torch.tensor([0, 9])).shape == (2, 1, *size)
    larger = _network((16, 16), **variant)
    for name, weight in larger.state_dict().items():
        learned = network.state_dict()[name]
        if ".shift.numbers.1." in name:  # the same number for all patches
            weight.copy_(learned[1:2].expand(weight.shape)), learned.copy_(learned[1:2].expand(learned.shape))
        elif name == "position":
            learned.copy_(learned[..., :1, :1].expand(learned.shape)), weight.copy_(learned[..., :1, :1])
        else:
            weight.copy_(learned)
    x, timesteps = torch.randn(2, 1, 16, 16), torch.tensor([5, 500])
    torch.testing.assert_close(network(x, timesteps), larger(x, timesteps), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"image_size": (8, 12), "spatial_dims": 1}, "spatial_dims=1"),
        ({"image_size": (8, 8, 8), "spatial_dims": 2}, r"image_size=\(8, 8, 8\): 2 entries"),
        ({"image_size": (8, 10)}, r"image_size=\(8, 10\): every entry must be a multiple of 4"),
        ({"patch_size": 12}, "patch_size=12: must be a power of 2"),
        ({"patch_size": 0}, "patch_size=0: must be a power of 2"),
        ({"depth": 3}, "depth=3: must be even"),
        ({"depth": 0}, "depth=0: must be even, at least 2"),
        ({"num_heads": 3}, "num_heads=3: must divide hidden_size=16"),
        ({"norm_groups": 16}, "norm_groups=16: must divide hidden_size / 2"),
        ({"time_channels": 1}, "time_channels=1"),
        ({"feed_forward": "conv"}, "feed_forward='conv': must be one of"),
        ({"time_conditioning": "scale"}, "time_conditioning='scale': must be one of"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], match: str) -> None:
    image = {"spatial_dims": 2, "in_channels": 1, "out_channels": 1, "image_size": (8, 12)}
    with pytest.raises(ValueError, match=match):
        DTUNet(**{**image, **SMALL, **arguments})


@pytest.mark.parametrize("size", [(8, 9), (2, 8), (0, 8)])
def test_wrong_image_size_is_explained(size: tuple[int, int]) -> None:
    network = _network()
    for called in (network, torch.jit.script(network)):
        with pytest.raises(
            (ValueError, torch.jit.Error), match=r"every axis must be a multiple of 4\. Change image_size"
        ):
            called(torch.zeros(1, 1, *size))


@pytest.mark.parametrize("variant", VARIANTS)
def test_weights_fit_the_same_network_only(variant: dict[str, Any], tmp_path: Path) -> None:
    network, path, x = _network(**variant), tmp_path / "model.pt", torch.randn(1, 1, 8, 12)
    torch.save(network.state_dict(), path)
    again = _network(**variant)
    again.load_state_dict(read_weights(path), strict=True)
    assert torch.equal(again(x), network(x))
    with pytest.raises(RuntimeError, match="size mismatch"):
        _network((8, 8), **variant).load_state_dict(read_weights(path), strict=True)


@pytest.mark.parametrize("size", SIZES)
def test_channels_last_changes_the_storage_only(size: tuple[int, ...]) -> None:
    network, x = _network(size), torch.randn(2, 1, *size)
    expected = network(x)
    torch.testing.assert_close(place_network(network, "cpu", channels_last=True)(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_network_is_compiled_in_one_piece(variant: dict[str, Any]) -> None:
    network, x, timesteps = _network(**variant), torch.randn(2, 1, 8, 12), torch.tensor([3, 30])
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, timesteps), network(x, timesteps))


def test_the_inferer_of_monai_takes_it() -> None:
    network, scheduler = _network(), DDPMScheduler(num_train_timesteps=1000)
    x, noise, timesteps = torch.rand(2, 1, 8, 12), torch.randn(2, 1, 8, 12), torch.tensor([10, 900])
    prediction = DiffusionInferer(scheduler)(x, network, noise=noise, timesteps=timesteps)
    share = torch.cumprod(1 - torch.linspace(1e-4, 2e-2, 1000), 0)[timesteps].view(2, 1, 1, 1)
    torch.testing.assert_close(prediction, network(share.sqrt() * x + (1 - share).sqrt() * noise, timesteps))


def test_a_patch_may_be_the_whole_image() -> None:
    network = _network((4, 4))
    assert network(torch.randn(1, 1, 4, 4)).shape == (1, 1, 4, 4)
    assert math.prod(network.middle_block.shift.grid) == 1
