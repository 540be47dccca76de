# SPDX-License-Identifier: Apache-2.0
"""Every published variant of a bundle, alone and stacked: it trains, and its own inferer makes maps of its network."""

from pathlib import Path
from typing import Any

import pytest
import torch
from bundle_tools import KINDS, VARIANT_IDS, VARIANTS, build, real_inputs, reconstructs, to_torchscript

# weights that nothing asks for: they act on the first token of the last block, which is dropped
IDLE = {"dtunet": "out_blocks.0.feed_forward.excitation"}


def _overrides(bundle: Path, names: str, folder: Path, data: Path, vgg_path: Path) -> dict[str, Any]:
    paths = {"ckpt_path": folder / "model.pt", "calibration_path": folder / "calibration.json"}
    extra = {"vgg_path": vgg_path} if "perceptual" in names else {}
    return {"dataset_dir": data, "output_dir": folder / "log", **paths, **extra}


@pytest.mark.parametrize(
    ("variant_of", "names"),
    [pytest.param(*each, marks=[] if each[0].name in KINDS else [pytest.mark.slow]) for each in VARIANTS],
    ids=VARIANT_IDS,
)
def test_variant_trains_and_scores(
    variant_of: Path, names: str, phantom_2d: Path, vgg_path: Path, tmp_path: Path
) -> None:
    overrides = _overrides(variant_of, names, tmp_path, phantom_2d, vgg_path)
    train = build(variant_of, f"train {names} smoke", ckpt_dir=tmp_path, **overrides)
    trainer = train.parser.get_parsed_content("train#trainer")
    idle = IDLE.get(variant_of.name, "none")
    weights = [(name, p) for name, p in train.network_def.named_parameters() if not name.startswith(idle)]
    before = {name: p.clone() for name, p in weights if p.requires_grad}
    trainer.run()
    after = dict(train.network_def.named_parameters())
    assert all(not torch.equal(p, after[name]) for name, p in before.items() if p.ndim > 1)
    parser = build(variant_of, f"inference {names} smoke", "infer", **overrides).parser
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True), strict=True)
    images = torch.rand(3, 1, *parser.get_parsed_content("image_size"))
    with torch.no_grad():
        out = parser.get_parsed_content("inferer")(images, network)
        alone = parser.get_parsed_content("inferer")(images[1:2], network)
        inputs = real_inputs(network, images)
        assert to_torchscript(network, images[:2])(*inputs).allclose(network(*inputs), atol=1e-5)
    assert out.shape == (3, 2 if reconstructs(variant_of) else 1, *images.shape[2:])
    assert out.isfinite().all() and float(out[:, 0].min()) >= 0
    torch.testing.assert_close(alone, out[1:2], rtol=1e-4, atol=1e-5 * float(out.abs().max()))


@pytest.mark.slow
@pytest.mark.parametrize(("variant_of", "names"), VARIANTS, ids=VARIANT_IDS)
def test_variant_from_training_to_metrics(
    variant_of: Path, names: str, phantom_2d: Path, phantom_3d: Path, vgg_path: Path, tmp_path: Path
) -> None:
    """On volumes, where the loss is not one of a 2D network."""
    form = "" if "perceptual" in names else "volume_3d "
    overrides = _overrides(variant_of, names, tmp_path, phantom_3d if form else phantom_2d, vgg_path)
    build(variant_of, f"train {form}{names} smoke", ckpt_dir=tmp_path, **overrides).run()
    build(variant_of, f"train evaluate {form}{names} smoke", **overrides).run()
    lines = (tmp_path / "log" / "scores.csv").read_text().splitlines()
    scores = [float(line.split(",")[1]) for line in lines[1:]]
    assert len(set(scores)) == 6 and min(scores) > 0
