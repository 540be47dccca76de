# SPDX-License-Identifier: Apache-2.0
import torch
from medad.engines import AnomalyTrainer
from monai.engines import SupervisedTrainer
from monai.handlers import StatsHandler, from_engine
from torch.utils.data import DataLoader


def _train(kind: type[SupervisedTrainer]) -> tuple[SupervisedTrainer, torch.Tensor]:
    torch.manual_seed(0)
    network = torch.nn.Conv2d(1, 1, 3, padding=1)
    items = [{"image": torch.rand(1, 5, 5), "label": torch.rand(1, 5, 5)} for _ in range(4)]
    trainer = kind(
        device=torch.device("cpu"),
        max_epochs=3,
        train_data_loader=DataLoader(items, batch_size=2),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        loss_function=torch.nn.MSELoss(),
        decollate=False,
        train_handlers=[StatsHandler(output_transform=from_engine(["loss"], first=True), name="unused")],
    )
    trainer.run()
    return trainer, network.weight.detach()


def test_it_gives_the_loss_and_trains_as_monai_does() -> None:
    ours, weight = _train(AnomalyTrainer)
    theirs, expected = _train(SupervisedTrainer)
    assert [list(entry) for entry in ours.state.output] == [["loss"]]
    loss = from_engine(["loss"], first=True)(ours.state.output)
    assert torch.equal(loss, theirs.state.output["loss"]) and loss.ndim == 0
    assert torch.equal(weight, expected)
