# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from ignite.engine import Events
from medad.engines import AtlasBuilder
from medad.networks import NormativeAtlas
from torch.utils.data import DataLoader


@pytest.mark.parametrize("epochs", [1, 2])
def test_the_bank_holds_every_image_once(epochs: int) -> None:
    images = [torch.rand(1, 16, 16) for _ in range(5)]
    mask = torch.zeros(1, 16, 16)
    mask[:, 2:14, 2:14] = 1
    atlas = NormativeAtlas(2, 1, (16, 16), feature_size=4)
    atlas.remember(torch.rand(3, 1, 16, 16), torch.ones(3, 1, 16, 16))  # of an earlier training
    items = [{"image": image, "foreground": mask, "subject_id": str(number)} for number, image in enumerate(images)]
    loader = DataLoader(items, batch_size=2)
    builder = AtlasBuilder("cpu", epochs, loader, atlas)
    losses: list[float] = []
    builder.add_event_handler(Events.ITERATION_COMPLETED, lambda: losses.append(builder.state.output[0]["loss"].item()))
    builder.run()
    assert torch.equal(atlas.bank, atlas.smooth(torch.stack(images)).half())
    assert len(losses) == 3 * epochs and min(losses) > 0
    assert float(atlas.depth[0, 0, 12, 12]) == 1.0 and float(atlas.depth[0, 0, 0, 0]) == 0.0


def test_groups_of_different_subjects_become_one_image() -> None:
    items = [
        {"image": torch.rand(1, 16, 16), "foreground": torch.ones(1, 16, 16), "subject_id": name} for name in "aabbccdd"
    ]
    atlas = NormativeAtlas(2, 1, (16, 16), feature_size=4, group_size=4)
    for _ in range(2):
        AtlasBuilder("cpu", 2, DataLoader(items, batch_size=3), atlas).run()
        assert len(atlas.bank) == len(atlas.deviation) == 2
    smooth = atlas.smooth(torch.stack([item["image"] for item in items]))
    torch.testing.assert_close(atlas.bank.float().mean(dim=0), smooth.mean(dim=0), atol=1e-3, rtol=0)
    assert float(atlas.deviation.min()) > 0
