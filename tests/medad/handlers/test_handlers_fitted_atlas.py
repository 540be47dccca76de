# SPDX-License-Identifier: Apache-2.0
import copy

import torch
from ignite.engine import Engine, Events
from medad.handlers import FittedAtlas
from medad.networks import NormativeAtlas
from medad.transforms import ExpectedImaged


def test_the_bank_of_the_training_outlives_loaded_weights() -> None:
    atlas = NormativeAtlas(2, 1, (12, 12), num_neighbors=3, num_bases=0, feature_size=4)
    earlier = copy.deepcopy(atlas)
    earlier.remember(torch.rand(5, 1, 12, 12), torch.ones(5, 1, 12, 12))
    transform = ExpectedImaged(atlas)
    items = [
        {"image": torch.rand(1, 12, 12), "depth": torch.ones(1, 12, 12), "subject_id": str(number)}
        for number in range(4)
    ]
    transform.fit(items)
    fitted = atlas.bank.clone()
    seen = []
    engine = Engine(lambda engine, batch: seen.append(len(atlas.bank)))
    FittedAtlas([transform]).attach(engine)
    engine.add_event_handler(Events.STARTED, lambda: atlas.load_state_dict(earlier.state_dict()))
    engine.run([0], max_epochs=2)
    assert seen == [4, 4] and torch.equal(atlas.bank, fitted) and len(atlas.features) == 4


def test_without_an_atlas_there_is_nothing_to_do() -> None:
    engine = Engine(lambda engine, batch: None)
    FittedAtlas().attach(engine)
    engine.run([0], max_epochs=1)
