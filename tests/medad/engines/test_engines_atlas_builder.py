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


def test_groups_have_images_of_different_subjects() -> None:
    """Each subject's images are alike: by likeness alone they would come together."""
    values = {"a": 0.2, "b": 0.4, "c": 0.6, "d": 0.8}
    items = [
        {"image": torch.full((1, 16, 16), value), "foreground": torch.ones(1, 16, 16), "subject_id": name}
        for name, value in values.items()
        for _ in range(3)
    ]
    atlas = NormativeAtlas(2, 1, (16, 16), feature_size=4, group_size=4)
    for _ in range(2):
        AtlasBuilder("cpu", 2, DataLoader(items, batch_size=5), atlas).run()
        assert atlas.members.tolist() == [4, 4, 4]
    torch.testing.assert_close(atlas.bank.float(), torch.full((3, 1, 16, 16), 0.5), atol=1e-3, rtol=0)
    torch.testing.assert_close(atlas.deviation.float(), torch.full((3, 1, 16, 16), 0.05**0.5), atol=1e-3, rtol=0)
