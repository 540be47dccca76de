# SPDX-License-Identifier: Apache-2.0
import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from medad.networks import UniAD, place_network, read_weights
from medad.networks.uniad.factorized_position import FactorizedPosition
from medad.networks.uniad.feature_jitter import FeatureJitter
from medad.networks.uniad.neighbor_mask import neighbor_mask
from medad.networks.uniad.neighbor_masked_layer import NeighborMaskedLayer
from medad.networks.uniad.position_attention import PositionAttention
from medad.networks.uniad.query_decoder_layer import QueryDecoderLayer
from torch import Tensor, nn

SMALL: dict[str, Any] = {
    "in_channels": 6,
    "hidden_size": 16,
    "num_layers": 2,
    "num_heads": 2,
    "mlp_dim": 24,
    "neighbor_size": 3,
}
GRIDS = [(5, 4), (4, 3, 5)]
OTHER_GRIDS = [(7, 4), (6, 3, 4)]


def _random(module: Any) -> Any:
    """Nothing starts at zero or one, and what comes out depends on what goes in as strongly as in a trained network."""
    for name, parameter in module.named_parameters():
        nn.init.normal_(parameter, mean=float(name.endswith("norm.weight")), std=0.5)
    return module


def _network(grid: tuple[int, ...] = (5, 4), **arguments: Any) -> UniAD:
    """In evaluation mode, with random weights."""
    return _random(UniAD(len(grid), feature_size=grid, **{**SMALL, **arguments}).eval())


def _places(grid: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Of the tokens, in their order."""
    return list(itertools.product(*map(range, grid)))


@pytest.mark.parametrize(
    ("grid", "window"),
    [
        ((14, 14), (7, 7)),
        ((5, 4), (3, 5)),
        ((6, 2), (1, 1)),
        ((1, 4), (3, 3)),
        ((4, 3, 5), (3, 3, 3)),
        ((2, 6, 3), (5, 1, 3)),
    ],
)
def test_the_mask_blocks_the_window_around_a_token(grid: tuple[int, ...], window: tuple[int, ...]) -> None:
    places = _places(grid)
    mask = neighbor_mask(list(grid), list(window))
    assert mask.dtype == torch.bool and mask.shape == (len(places), len(places))
    for (row, a), (column, b) in itertools.product(enumerate(places), repeat=2):
        near = all(abs(i - j) <= (width - 1) / 2 for i, j, width in zip(a, b, window, strict=True))
        assert bool(mask[row, column]) == near
    assert not mask.all(dim=1).any()


@pytest.mark.parametrize("grid", [*itertools.product(range(1, 5), repeat=2), (2, 3, 4), (3, 3, 3), (1, 2, 3)])
def test_a_grid_that_fits_into_the_window_is_refused(grid: tuple[int, ...]) -> None:
    """Only then a token sees nothing: softmax over nothing is NaN."""
    window = [3] * len(grid)
    if max(grid) > 3:
        assert not neighbor_mask(list(grid), window).all(dim=1).any()
        return
    for mask in (neighbor_mask, torch.jit.script(neighbor_mask)):
        with pytest.raises((ValueError, torch.jit.Error), match=r"a token would see nothing\. Use a larger"):
            mask(list(grid), window)


@pytest.mark.parametrize(("grid", "hidden", "shares"), [((3, 5), 7, (4, 3)), ((2, 3, 4), 8, (3, 3, 2))])
def test_a_position_is_made_of_its_axes(grid: tuple[int, ...], hidden: int, shares: tuple[int, ...]) -> None:
    position = FactorizedPosition(grid, hidden)
    assert tuple(vectors.shape[1] for vectors in position.axes) == shares
    assert all(vectors.min() >= 0 and vectors.max() <= 1 for vectors in position.axes)
    vectors = position(list(grid))
    assert vectors.shape == (1, math.prod(grid), hidden)
    for index, place in enumerate(_places(grid)):
        expected = torch.cat([axis[0, :, i] for axis, i in zip(position.axes, place, strict=True)])
        assert torch.equal(vectors[0, index], expected)


@torch.no_grad()
def test_positions_on_another_grid_are_interpolated() -> None:
    position = FactorizedPosition((4, 4), 2)
    position.axes[0].copy_(torch.tensor([[[0.0, 1.0, 2.0, 3.0]]]))
    vectors = position([8, 4])[0].view(8, 4, 2)
    assert vectors[:, 0, 0].tolist() == [0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0]
    assert torch.equal(vectors[3, :, 1], position.axes[1][0, 0])


@pytest.mark.parametrize("grid", [(20, 25), (6, 8, 10)])
def test_jitter_is_as_strong_as_a_vector_is_long(grid: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    channels, scale = 8, 3.0
    features = torch.randn(1, channels, *grid) * torch.rand(1, 1, *grid) * 10
    jitter = FeatureJitter(scale)
    noise = torch.stack([jitter(features) - features for _ in range(400)])[:, 0]
    units = noise / (scale * features.square().sum(1).sqrt() / channels)  # (draws, C, *grid)
    # mean and standard deviation of n normal numbers: sd 1 / sqrt(n) and 1 / sqrt(2n); five of these are allowed
    per_channel = units.transpose(0, 1).flatten(1)
    tolerance = 5 / math.sqrt(per_channel.shape[1])
    assert float(per_channel.mean(1).abs().max()) < tolerance
    assert float((per_channel.std(1) - 1).abs().max()) < tolerance
    per_place = units.flatten(0, 1).flatten(1)
    assert float((per_place.std(0) - 1).abs().max()) < 5 / math.sqrt(2 * per_place.shape[0])
    # of their own in every channel, place and draw
    for other in (units.roll(1, 0), units.roll(1, 1), units.roll(1, 2)):
        assert abs(float((units * other).mean())) < 5 / math.sqrt(units.numel())
    assert torch.equal(jitter.eval()(features), features)


@torch.no_grad()
def test_the_network_is_disturbed_in_training_only() -> None:
    network, features = _network(dropout_rate=0.0), torch.randn(2, 6, 5, 4)
    assert network.jitter.scale == 20.0
    assert torch.equal(network(features), network(features))
    network.train()
    first = network(features)
    assert not torch.isclose(first, network(features)).any(), "every batch is disturbed, all of it"
    calm = _network(dropout_rate=0.0, jitter_scale=0.0)
    torch.testing.assert_close(calm.train()(features), calm.eval()(features))


def _layer_norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    centered = x - x.mean(-1, keepdim=True)
    return centered / (centered.square().mean(-1, keepdim=True) + norm.eps).sqrt() * norm.weight + norm.bias


def _attend(block: PositionAttention, tokens: Tensor, memory: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
    """norm(t + attention(t + p, m + p, m)), image by image and token by token; blocked tokens are left out."""
    attention, hidden = block.attention, tokens.shape[-1]
    width = hidden // attention.num_heads
    w, b = attention.in_proj_weight.split(hidden), attention.in_proj_bias.split(hidden)
    rows = []
    for t, m in zip(tokens, memory, strict=True):
        q = (t + positions[0]) @ w[0].T + b[0]
        k = (m + positions[0]) @ w[1].T + b[1]
        v = m @ w[2].T + b[2]
        for i in range(len(t)):
            seen = [j for j in range(len(m)) if not mask[i, j]]
            heads = []
            for head in range(attention.num_heads):
                part = slice(head * width, (head + 1) * width)
                weights = torch.stack([(q[i, part] * k[j, part]).sum() / math.sqrt(width) for j in seen]).exp()
                heads.append(sum(a * v[j, part] for a, j in zip(weights / weights.sum(), seen, strict=True)))
            rows.append(torch.cat(heads))
    attended = torch.stack(rows).view(tokens.shape) @ attention.out_proj.weight.T + attention.out_proj.bias
    return _layer_norm(tokens + attended, block.norm)


def _feed_forward(block: Any, tokens: Tensor) -> Tensor:
    first, second = block.mlp.linear1, block.mlp.linear2
    inner = (tokens @ first.weight.T + first.bias).clamp(min=0)
    return _layer_norm(tokens + inner @ second.weight.T + second.bias, block.norm)


def _decode(layer: QueryDecoderLayer, encoded: Tensor, before: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
    query = torch.stack([layer.query[(0, slice(None), *place)] for place in _places(layer.query.shape[2:])])
    tokens = _attend(layer.encoder_attention, query.expand(encoded.shape), encoded, positions, mask)
    return _feed_forward(layer.feed_forward, _attend(layer.layer_attention, tokens, before, positions, mask))


def _tokens(grid: tuple[int, ...], count: int, images: int = 2) -> list[Tensor]:
    return [torch.randn(images, math.prod(grid), 16, dtype=torch.float64) for _ in range(count)]


@torch.no_grad()
@pytest.mark.parametrize("grid", GRIDS)
def test_a_decoder_layer_written_out(grid: tuple[int, ...]) -> None:
    layer = _random(QueryDecoderLayer(grid, 16, 2, 24).double())
    encoded, before, positions = _tokens(grid, 3)
    mask = neighbor_mask(list(grid), [3] * len(grid))
    decoded = layer(encoded, before, positions[:1], mask, list(grid))
    torch.testing.assert_close(decoded, _decode(layer, encoded, before, positions[:1], mask), rtol=1e-9, atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("grid", GRIDS)
def test_an_encoder_layer_written_out(grid: tuple[int, ...]) -> None:
    layer = _random(NeighborMaskedLayer(16, 2, 24).double())
    tokens, positions = _tokens(grid, 2)
    mask = neighbor_mask(list(grid), [3] * len(grid))
    expected = _feed_forward(layer.feed_forward, _attend(layer.attention, tokens, tokens, positions[:1], mask))
    torch.testing.assert_close(layer(tokens, positions[:1], mask), expected, rtol=1e-9, atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("grid", GRIDS)
def test_the_network_written_out(grid: tuple[int, ...]) -> None:
    """Which part gets what: the encoder's output goes to every decoder layer, and is the first one's ``before``."""
    network = _network(grid).double()
    features = torch.randn(2, 6, *grid, dtype=torch.float64)
    mask, positions = neighbor_mask(list(grid), [3] * len(grid)), network.position(list(grid))
    vectors = torch.stack([features[(slice(None), slice(None), *place)] for place in _places(grid)], dim=1)
    tokens = vectors @ network.to_tokens.weight.T + network.to_tokens.bias
    for layer in network.encoder:
        tokens = _feed_forward(layer.feed_forward, _attend(layer.attention, tokens, tokens, positions, mask))
    decoded = tokens
    for layer in network.decoder:
        decoded = _decode(layer, tokens, decoded, positions, mask)
    rebuilt = _layer_norm(decoded, network.norm) @ network.to_features.weight.T + network.to_features.bias
    expected = torch.empty_like(features)
    for index, place in enumerate(_places(grid)):
        expected[(slice(None), slice(None), *place)] = rebuilt[:, index]
    torch.testing.assert_close(network(features), expected, rtol=1e-9, atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("grid", GRIDS)
def test_a_decoded_token_knows_neither_itself_nor_its_neighbors(grid: tuple[int, ...]) -> None:
    """Of one layer: a second one would see them through tokens that are no neighbors."""
    layer = _random(QueryDecoderLayer(grid, 16, 2, 24).double())
    encoded, before, positions = _tokens(grid, 3, images=1)
    mask = neighbor_mask(list(grid), [3] * len(grid))
    decoded = layer(encoded, before, positions, mask, list(grid))
    for token in range(math.prod(grid)):
        disturbed = mask[token].view(1, -1, 1) * torch.randn_like(encoded)
        for inputs in ((encoded + disturbed, before), (encoded, before + disturbed)):
            change = (layer(*inputs, positions, mask, list(grid)) - decoded).abs().amax(2)[0]
            assert float(change[token]) == 0
            # whoever sees any of the disturbed tokens changes
            assert torch.equal(change > 0, (~mask & mask[token]).any(dim=1))


@torch.no_grad()
@pytest.mark.parametrize("grid", GRIDS)
def test_shortcuts_start_at_the_query(grid: tuple[int, ...]) -> None:
    """Without attention nothing of the input is left; the last layer's normalized query is all there is."""
    network = _network(grid)
    first, second = torch.randn(2, 2, 6, *grid)
    assert float((network(first) - network(second)).abs().max()) > 0.01
    for layer in network.decoder:
        for block in (layer.encoder_attention, layer.layer_attention):
            block.attention.out_proj.weight.zero_(), block.attention.out_proj.bias.zero_()
        layer.feed_forward.mlp.linear2.weight.zero_(), layer.feed_forward.mlp.linear2.bias.zero_()
    assert torch.equal(network(first), network(second))
    tokens = network.decoder[-1].query.flatten(2).transpose(1, 2)
    for block in (layer.encoder_attention, layer.layer_attention, layer.feed_forward, network):
        tokens = _layer_norm(tokens, block.norm)
    expected = network.to_features(tokens).transpose(1, 2).unflatten(2, grid).expand(2, -1, *grid)
    torch.testing.assert_close(network(first), expected)


def _linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def test_published_size() -> None:
    """Layer by layer: 69,888 + 3,584 + 4 * 789,760 + 4 * 1,103,616 + 512 + 69,904 = 7,717,392."""
    channels, dim, inner, tokens, norm = 272, 256, 1024, 14 * 14, 2 * 256
    attention = 4 * _linear(dim, dim)  # queries, keys, values, output: 263,168
    feed_forward = _linear(dim, inner) + _linear(inner, dim)  # 525,568
    encoder_layer = attention + feed_forward + 2 * norm
    decoder_layer = tokens * dim + 2 * attention + feed_forward + 3 * norm
    position = (14 + 14) * dim // 2
    total = _linear(channels, dim) + position + 4 * encoder_layer + 4 * decoder_layer + norm + _linear(dim, channels)
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in UniAD(2).parameters() if parameter.requires_grad)
    assert count == total == 7_717_392


@torch.no_grad()
def test_initial_weights() -> None:
    torch.manual_seed(0)
    network = UniAD(2, feature_size=(5, 4), **{**SMALL, "hidden_size": 64, "mlp_dim": 96, "num_layers": 1})
    dense = [module for module in network.modules() if isinstance(module, nn.Linear)]
    assert len(dense) == 2 + 3 + 2 * 2  # ends, outputs of attention, feed-forward
    weights = [module.weight for module in dense]
    weights += [m.in_proj_weight for m in network.modules() if isinstance(m, nn.MultiheadAttention)]
    for weight in weights:
        bound = math.sqrt(6 / sum(weight.shape))
        assert 0.95 * bound < float(weight.abs().max()) <= bound
    assert not any(module.bias.any() for module in dense)
    assert float(network.decoder[0].query.std()) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("grid", GRIDS)
def test_shape_gradient_and_torchscript(grid: tuple[int, ...]) -> None:
    network = _network(grid)
    for size in (grid, OTHER_GRIDS[len(grid) - 2]):
        features = torch.randn(2, 6, *size)
        rebuilt = network(features)
        assert rebuilt.shape == features.shape
        scripted = torch.jit.script(network)
        torch.testing.assert_close(scripted(features), rebuilt)
        traced = torch.jit.trace(network, features, check_trace=False)
        torch.testing.assert_close(traced(features[:1]), rebuilt[:1])
    training = torch.jit.script(network.train())
    for called in (network, training):
        network.zero_grad()
        called(features).square().mean().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@torch.no_grad()
@pytest.mark.parametrize("grid", GRIDS)
def test_other_grids(grid: tuple[int, ...]) -> None:
    """What was learned per place is stretched: the same at all places, it means the same on both grids."""
    other = OTHER_GRIDS[len(grid) - 2]
    network, larger = _network(grid), _network(other)
    weights, learned = larger.state_dict(), network.state_dict()
    for name, weight in weights.items():
        if "position" in name or name.endswith("query"):
            constant = learned[name].flatten(2)[..., :1].reshape(*learned[name].shape[:2], *[1] * (weight.ndim - 2))
            weight.copy_(constant), learned[name].copy_(constant.clone())
        elif name != "mask":
            weight.copy_(learned[name])
    features = torch.randn(2, 6, *other)
    torch.testing.assert_close(network(features), larger(features), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_window_may_differ_by_axis() -> None:
    assert torch.equal(_network((5, 4), neighbor_size=(1, 3)).mask.bool(), neighbor_mask([5, 4], [1, 3]))
    assert torch.equal(_network((5, 4), neighbor_size=3).mask.bool(), neighbor_mask([5, 4], [3, 3]))
    network, features = _network((5, 4), neighbor_size=(1, 3)), torch.randn(1, 6, 5, 4)
    expected = network(features)
    network.feature_size = [0, 0]  # computed anew, as for another grid
    torch.testing.assert_close(network(features), expected)


@torch.no_grad()
@pytest.mark.parametrize("grid", GRIDS)
def test_all_tensors_are_where_the_network_is(grid: tuple[int, ...]) -> None:
    """Torch refuses to mix the device without memory with another one."""
    network = _network(grid).to("meta")
    for size in (grid, OTHER_GRIDS[len(grid) - 2]):
        rebuilt = network.train()(torch.randn(2, 6, *size, device="meta"))
        assert rebuilt.device.type == "meta" and rebuilt.shape == (2, 6, *size)


@torch.no_grad()
@pytest.mark.parametrize("grid", GRIDS)
def test_an_image_does_not_see_its_batch(grid: tuple[int, ...]) -> None:
    network, features = _network(grid).double(), torch.randn(3, 6, *grid, dtype=torch.float64)
    torch.testing.assert_close(network(features)[1:2], network(features[1:2]))


def test_weights_fit_the_same_network_only(tmp_path: Path) -> None:
    network, path, features = _network(), tmp_path / "model.pt", torch.randn(1, 6, 5, 4)
    torch.save(network.state_dict(), path)
    again = _network()
    again.load_state_dict(read_weights(path), strict=True)
    assert torch.equal(again(features), network(features))
    with pytest.raises(RuntimeError, match="another neighbor_size"):
        _network(neighbor_size=1).load_state_dict(read_weights(path), strict=True)
    with pytest.raises(RuntimeError, match="size mismatch"):
        _network((4, 4)).load_state_dict(read_weights(path), strict=True)


@pytest.mark.parametrize("grid", GRIDS)
def test_channels_last_and_compiling_change_nothing(grid: tuple[int, ...]) -> None:
    network, features = _network(grid), torch.randn(2, 6, *grid)
    expected = network(features)
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(features), expected)
    placed = place_network(network, "cpu", channels_last=True)
    torch.testing.assert_close(placed(features), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"spatial_dims": 1}, "spatial_dims=1: must be 2 or 3"),
        ({"in_channels": 0}, "in_channels=0: must be at least 1"),
        ({"feature_size": (5, 4, 3)}, r"feature_size=\(5, 4, 3\): 2 entries"),
        ({"feature_size": (5, 0)}, r"feature_size=\(5, 0\): every entry must be at least 1"),
        ({"feature_size": (3, 2)}, r"grid=\[3, 2\]: fits into the window \[3, 3\]"),
        ({"neighbor_size": 5}, r"grid=\[5, 4\]: fits into the window \[5, 5\]"),
        ({"neighbor_size": 2}, "neighbor_size=2: must be odd"),
        ({"neighbor_size": -1}, r"neighbor_size=\(-1, -1\): every entry must be at least 1"),
        ({"neighbor_size": (3, 2)}, r"neighbor_size=2: must be odd"),
        ({"neighbor_size": (3, 3, 3)}, r"neighbor_size=\(3, 3, 3\): 2 entries are expected"),
        ({"num_heads": 3}, "num_heads=3: must divide hidden_size=16"),
        ({"num_heads": 0}, "num_heads=0: must divide hidden_size=16"),
        ({"hidden_size": 1, "num_heads": 1}, "hidden_size=1: must be at least 2"),
        ({"num_layers": 0}, "num_layers=0: must be at least 1"),
        ({"mlp_dim": 0}, "mlp_dim=0: must be at least 1"),
        ({"dropout_rate": 1.0}, r"dropout_rate=1.0: must lie in \[0, 1\)"),
        ({"jitter_scale": -1.0}, "jitter_scale=-1.0: must be at least 0"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        UniAD(**{"spatial_dims": 2, "feature_size": (5, 4), **SMALL, **arguments})


@pytest.mark.parametrize(
    ("shape", "match"),
    [
        ((1, 5, 5, 4), r"features of shape .*: must have a batch, 6 channels and 2 spatial axes"),
        ((6, 5, 4), "must have a batch, 6 channels"),
        ((1, 6, 5, 4, 4), "6 channels and 2 spatial axes"),
        ((1, 6, 3, 3), r"grid=\[3, 3\]: fits into the window"),
    ],
)
def test_wrong_features_are_explained(shape: tuple[int, ...], match: str) -> None:
    network = _network()
    for called in (network, torch.jit.script(network)):
        with pytest.raises((ValueError, torch.jit.Error), match=match):
            called(torch.zeros(shape))


class _PlainTransformer(nn.Module):
    """As many layers without mask and without queries."""

    def __init__(self, channels: int, tokens: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(32, 2, 64, dropout=0.0, batch_first=True)
        self.to_tokens, self.position = nn.Linear(channels, 32), nn.Parameter(torch.rand(1, tokens, 32))
        self.layers = nn.TransformerEncoder(layer, 4, norm=nn.LayerNorm(32))
        self.to_features = nn.Linear(32, channels)

    def forward(self, features: Tensor) -> Tensor:
        tokens = self.to_tokens(features.flatten(2).transpose(1, 2)) + self.position
        return self.to_features(self.layers(tokens)).transpose(1, 2).unflatten(2, features.shape[2:])


def _smooth_features(count: int) -> Tensor:
    """A vector per image, and a slight slope of it along rows and columns: 24 numbers make 8 x 36."""
    rows, columns = torch.meshgrid(torch.linspace(-0.3, 0.3, 6), torch.linspace(-0.3, 0.3, 6), indexing="ij")
    return torch.einsum("bkc,khw->bchw", torch.randn(count, 3, 8), torch.stack([torch.ones(6, 6), rows, columns]))


def test_what_is_abnormal_is_not_copied() -> None:
    """Any vector is normal, but not inside an image of other vectors: who copies its input cannot know this."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "mlp_dim": 64, "neighbor_size": 3}
    networks = {
        "UniAD": UniAD(2, 8, (6, 6), **sizes, dropout_rate=0.0, jitter_scale=0.0),
        "plain": _PlainTransformer(8, 36),
    }
    normal = _smooth_features(64)
    abnormal = normal.clone()
    abnormal[:, :, 2:4, 3] = torch.randn(64, 8, 1)
    changed = (abnormal - normal).square().sum()
    left = {}
    for name, network in networks.items():
        optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3)
        for _ in range(100):
            features = _smooth_features(16)
            loss = (network(features) - features).square().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
        network.eval()
        with torch.no_grad():
            assert float((network(normal) - normal).square().mean() / normal.square().mean()) < 0.2, name
            left[name] = float((network(abnormal) - abnormal)[:, :, 2:4, 3].square().sum() / changed)
    assert left["UniAD"] > 0.7 and left["plain"] < 0.2, left
