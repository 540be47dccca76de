# SPDX-License-Identifier: Apache-2.0
import copy
import itertools
import math

import pytest
import torch
from medad.networks.dtunet.aggregation_feed_forward import AggregationFeedForward
from medad.networks.dtunet.conv_patch_embedding import ConvPatchEmbedding
from medad.networks.dtunet.head_token_attention import HeadTokenAttention
from medad.networks.dtunet.head_token_block import HeadTokenBlock
from medad.networks.dtunet.token_mlp import TokenMLP
from medad.networks.dtunet.token_shift import TokenShift
from medad.networks.patch_grid import resize_grid
from torch import Tensor, nn
from torch.nn import functional as F

GRIDS = [(3, 4), (2, 3, 2)]


def _random(module: nn.Module) -> nn.Module:
    """In float64, with nothing that starts at zero or one."""
    for parameter in module.double().parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def _gelu(x: Tensor) -> Tensor:
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def _layer_norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    centered = x - x.mean(-1, keepdim=True)
    return centered / (centered.square().mean(-1, keepdim=True) + norm.eps).sqrt() * norm.weight + norm.bias


def _group_norm(x: Tensor, norm: nn.GroupNorm) -> Tensor:
    normalized = []
    for image in x:
        for group in image.chunk(norm.num_groups):
            centered = group - group.mean()
            normalized.append(centered / (centered.square().mean() + norm.eps).sqrt())
    per_channel = (-1, *[1] * (x.ndim - 2))
    return torch.cat(normalized).reshape(x.shape) * norm.weight.view(per_channel) + norm.bias.view(per_channel)


def _conv(x: Tensor, conv: nn.Module, stride: int = 1) -> Tensor:
    """Convolution as a sum over the places of the kernel, each a product of matrices."""
    weight, spatial = conv.weight, x.shape[2:]
    reach = weight.shape[-1] // 2
    padded = F.pad(x, [reach] * 2 * len(spatial))
    total: Tensor | float = 0.0
    for place in itertools.product(range(weight.shape[-1]), repeat=len(spatial)):
        window = padded[(..., *(slice(i, i + size, stride) for i, size in zip(place, spatial, strict=True)))]
        total = total + torch.einsum("oc,bc...->bo...", weight[(..., *place)], window)
    return total + conv.bias.view(-1, *[1] * len(spatial))


def _depthwise(x: Tensor, conv: nn.Module) -> Tensor:
    """Convolution of each channel with its own kernel, as one of all channels whose kernels are zero elsewhere."""
    full = copy.deepcopy(conv)
    mine = torch.eye(x.shape[1], dtype=x.dtype).view(x.shape[1], x.shape[1], *[1] * (x.ndim - 2))
    full.weight = nn.Parameter(mine * conv.weight)
    return _conv(x, full)


@torch.no_grad()
def test_attention_with_head_tokens_against_loops() -> None:
    hidden, heads, count = 6, 2, 5
    width = hidden // heads
    module = _random(HeadTokenAttention(hidden, heads))
    x = torch.randn(2, count, hidden, dtype=torch.float64)
    project, norm, _ = module.to_head_token
    expected = torch.empty_like(x)
    for b in range(2):
        sequence = list(x[b])
        for head in range(heads):
            mean = sum(token[head * width : (head + 1) * width] for token in x[b]) / count
            made = _gelu(_layer_norm(project.weight @ mean + project.bias, norm))
            sequence.append(made + module.head_position[0, head])
        q, k, v = zip(*((module.attention.qkv.weight @ token).chunk(3) for token in sequence), strict=True)
        out = []
        for i in range(len(sequence)):
            seen = []
            for head in range(heads):
                part = slice(head * width, (head + 1) * width)
                scores = [math.exp(float(q[i][part] @ key[part]) / math.sqrt(width)) for key in k]
                seen.append(sum(score / sum(scores) * value[part] for score, value in zip(scores, v, strict=True)))
            out.append(module.attention.out_proj.weight @ torch.cat(seen) + module.attention.out_proj.bias)
        expected[b] = torch.stack(out[:count])
        expected[b, 0] += sum(out[count:]) / heads
    torch.testing.assert_close(module(x), expected)


def test_attention_does_not_know_the_order_of_patches() -> None:
    module = _random(HeadTokenAttention(8, 4))
    x, order = torch.randn(1, 7, 8, dtype=torch.float64), torch.tensor([0, 3, 1, 6, 5, 4, 2])
    torch.testing.assert_close(module(x)[:, order], module(x[:, order]))


@pytest.mark.parametrize("grid", GRIDS)
def test_feed_forward_against_explicit_formulas(grid: tuple[int, ...]) -> None:
    hidden = 4
    module = _random(AggregationFeedForward(len(grid), hidden, mlp_ratio=2, norm_groups=2))
    x = torch.randn(2, 1 + math.prod(grid), hidden, dtype=torch.float64)
    map_ = x[:, 1:].transpose(1, 2).reshape(2, hidden, *grid)
    wide = _gelu(_group_norm(_conv(map_, module.expand[0]), module.expand[1]))
    wide = wide + _gelu(_group_norm(_depthwise(wide, module.look_around[0]), module.look_around[1]))
    map_ = _group_norm(_conv(wide, module.project[0]), module.project[1])
    squeeze, _, excite = module.excitation
    gain = excite.weight @ _gelu(squeeze.weight @ map_.flatten(2).mean(2).T + squeeze.bias[:, None])
    first = x[:, 0] * (gain.T + excite.bias)
    expected = torch.cat([first[:, None], map_.flatten(2).transpose(1, 2)], dim=1)
    torch.testing.assert_close(module(x, list(grid)), expected)


def test_patches_see_their_neighbors_only_with_aggregation() -> None:
    x = torch.randn(1, 1 + 5 * 5, 4, dtype=torch.float64)
    changed = x.clone()
    changed[:, 1 + 12] += 1  # the patch in the middle
    other = [torch.tensor([0, 1]), torch.tensor([0, 1, 7])]  # first token, a corner, and a diagonal neighbor
    alone = _random(TokenMLP(4))
    assert torch.equal(alone(x, [5, 5])[:, other[1]], alone(changed, [5, 5])[:, other[1]])
    aggregating = _random(AggregationFeedForward(2, 4, norm_groups=1))
    for norm in (aggregating.expand[1], aggregating.look_around[1], aggregating.project[1]):
        norm.forward = lambda x: x  # which looks at all patches
    difference = (aggregating(x, [5, 5]) - aggregating(changed, [5, 5])).abs().amax(2)[0]
    assert difference[1] == 0 and difference[1 + 6] > 0 and difference[0] > 0


@pytest.mark.parametrize("spatial", [(8, 12), (4, 8, 4)])
def test_patch_embedding_against_explicit_formulas(spatial: tuple[int, ...]) -> None:
    module = _random(ConvPatchEmbedding(len(spatial), 3, hidden_size=8, patch_size=4, norm_groups=2))
    before, first, norm_1, _, second, norm_2, after = module
    x = torch.randn(2, 3, *spatial, dtype=torch.float64)
    y = _gelu(_group_norm(_conv(x * before.weight + before.bias, first, stride=2), norm_1))
    y = _group_norm(_conv(y, second, stride=2), norm_2) * after.weight + after.bias
    assert y.shape == (2, 8, *(size // 4 for size in spatial))
    torch.testing.assert_close(module(x), y)


@pytest.mark.parametrize(
    ("patch_size", "widths"), [(2, [96]), (4, [48, 96]), (8, [24, 48, 96]), (16, [12, 24, 48, 96])]
)
def test_one_convolution_per_halving_and_twice_the_channels(patch_size: int, widths: list[int]) -> None:
    module = ConvPatchEmbedding(2, 1, 96, patch_size, norm_groups=4)
    assert [layer.out_channels for layer in module if isinstance(layer, nn.Conv2d)] == widths
    assert sum(isinstance(layer, nn.GELU) for layer in module) == len(widths) - 1


def test_convolutions_tell_where_a_patch_lies() -> None:
    """There is no position embedding: a uniform image must not give uniform patches."""
    patches = ConvPatchEmbedding(2, 1, 16, 4, norm_groups=4)(torch.ones(1, 1, 24, 24))
    torch.testing.assert_close(patches[..., 2, 2], patches[..., 4, 3])
    assert not torch.allclose(patches[..., 2, 2], patches[..., 0, 2], atol=1e-3)


@torch.no_grad()
def test_brightness_survives_the_normalization() -> None:
    module, x = ConvPatchEmbedding(2, 1, 16, 4, norm_groups=4), torch.rand(1, 1, 16, 16)
    assert float((module(2 * x) - module(x)).abs().max()) > 0.05


@pytest.mark.parametrize("grid", GRIDS)
def test_the_shift_of_a_patch_belongs_to_its_place(grid: tuple[int, ...]) -> None:
    module = TokenShift(6, grid)
    nn.init.zeros_(module.numbers[1].weight)
    ramp = torch.arange(grid[-1]).float().expand(grid)
    with torch.no_grad():
        module.numbers[1].bias.copy_(torch.cat([torch.tensor([-7.0]), ramp.flatten()]))
    longer = [*grid[:-1], 2 * grid[-1]]
    for asked, expected in ((list(grid), ramp), (longer, resize_grid(ramp[None, None], longer)[0, 0])):
        shift = module(torch.zeros(2, 6), asked)
        assert shift.shape == (2, 1 + math.prod(asked), 1)
        assert shift[1, 0, 0] == -7
        torch.testing.assert_close(shift[1, 1:, 0].reshape(expected.shape), expected)


def test_a_block_is_its_formula() -> None:
    shift = TokenShift(6, [2, 2])
    block = _random(HeadTokenBlock(8, 2, TokenMLP(8), shift))
    x, time = torch.randn(2, 5, 8, dtype=torch.float64), torch.randn(2, 6, dtype=torch.float64)
    numbers = _gelu(time) @ shift.numbers[1].weight.T + shift.numbers[1].bias
    y = x + block.attention(_layer_norm(x, block.attention_norm) + numbers[:, :, None])
    y = y + block.feed_forward(_layer_norm(y, block.feed_forward_norm), [2, 2])
    torch.testing.assert_close(block(x, time, [2, 2]), y)


@torch.no_grad()
def test_added_before_the_normalization_the_time_would_be_lost() -> None:
    """Why the shift stands behind it: one number for all channels of a token is what a layer normalization removes."""
    tokens, numbers = torch.randn(2, 5, 8, dtype=torch.float64), torch.randn(2, 5, 1, dtype=torch.float64)
    norm = nn.LayerNorm(8).double()
    torch.testing.assert_close(norm(tokens + numbers), norm(tokens), rtol=0, atol=1e-4)
    block = HeadTokenBlock(8, 2, TokenMLP(8), TokenShift(6, [2, 2])).double()
    now, later = (block(tokens, time, [2, 2]) for time in torch.randn(2, 1, 6, dtype=torch.float64))
    assert float((now - later).abs().max()) > 1e-3


@pytest.mark.parametrize(
    ("patch_size", "hidden_size", "norm_groups", "match"),
    [
        (12, 96, 4, "patch_size=12"),
        (1, 96, 4, "patch_size=1:"),
        (8, 96, 16, "norm_groups=16"),
        (8, 90, 1, "hidden_size=90"),
    ],
)
def test_wrong_arguments_are_named(patch_size: int, hidden_size: int, norm_groups: int, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        ConvPatchEmbedding(2, 1, hidden_size, patch_size, norm_groups)
