# SPDX-License-Identifier: Apache-2.0
"""Federated rounds with MONAI's client: two sites train, a server averages, the sites evaluate what comes of it."""

import json
import math
from pathlib import Path

import pytest
import torch
from bundle_tools import build, fails_with
from medad.errors import InputError
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems, FlStatistics, WeightType
from monai.fl.utils.exchange_object import ExchangeObject

pytestmark = pytest.mark.filterwarnings("ignore:executing the bundle config")
ROUNDS = 2


def _site(data: Path, folder: Path, part: int) -> Path:
    """Every second training image of a data set, as the data set of a site."""
    lists = json.loads((data / "datalist.json").read_text())
    lists = {name: items for name, items in lists.items() if isinstance(items, list)}
    for items in lists.values():
        for item in items:
            item["image"] = str(data / item["image"])
            if item.get("mask"):
                item["mask"] = str(data / item["mask"])
    lists["training"] = lists["training"][part::2]
    folder.mkdir()
    (folder / "datalist.json").write_text(json.dumps(lists))
    return folder


def _client(bundle: Path, data: Path, folder: Path, evaluate: list[str]) -> MonaiAlgo:
    options = {
        "dataset_dir": str(data),
        "ckpt_dir": str(folder / "models"),
        "output_dir": str(folder / "eval"),
    }
    client = MonaiAlgo(
        bundle_root=str(bundle),
        config_train_filename=["configs/train.json", "configs/smoke.json"],
        config_evaluate_filename=evaluate,
        train_kwargs=dict(options),
        eval_kwargs=dict(options),
    )
    client.initialize({ExtraItems.CLIENT_NAME: folder.name})
    return client


@pytest.mark.each_kind
def test_two_sites_train_together(bundle: Path, phantom_2d: Path, tmp_path: Path) -> None:
    sites = [_site(phantom_2d, tmp_path / f"data_{part}", part) for part in range(2)]
    by_normals = ["configs/train.json", "configs/smoke.json"]
    clients = [_client(bundle, data, tmp_path / f"site_{part}", evaluate=by_normals) for part, data in enumerate(sites)]
    shared = {name: value.clone() for name, value in build(bundle, "train smoke").network_def.state_dict().items()}
    before = dict(clients[0].evaluate(ExchangeObject(weights=shared)).metrics)  # the client reuses it
    for number in range(ROUNDS):
        changes = []
        for client in clients:
            client.train(ExchangeObject(weights=shared))
            returned = client.get_weights()
            assert returned.weight_type == WeightType.WEIGHT_DIFF
            assert returned.statistics[FlStatistics.NUM_EXECUTED_ITERATIONS] == client.trainer.state.epoch_length
            assert client.trainer.state.epoch == number + 1
            changes.append(returned.weights)
        assert set(changes[0]) == set(shared)
        assert any(not torch.equal(changes[0][name], changes[1][name]) for name in shared)
        shared = {name: shared[name] + (changes[0][name] + changes[1][name]) / 2 for name in shared}
    after = [client.evaluate(ExchangeObject(weights=shared)).metrics for client in clients]
    assert after[0] == pytest.approx(after[1]) and set(after[0]) == {"normal_score"}  # both hold out the same normals
    assert math.isfinite(after[0]["normal_score"]) and after[0] != before
    for client in clients:
        client.finalize()

    # the last weights become a model like any other: calibrated at the site, then evaluated with all metrics
    models = tmp_path / "site_0" / "models"
    torch.save(shared, models / "model.pt")
    site = {"dataset_dir": sites[0], "ckpt_dir": models, "output_dir": tmp_path / "site_0" / "eval"}
    build(bundle, "train calibrate smoke", **site).run()
    files = ["configs/train.json", "configs/evaluate.json", "configs/smoke.json"]
    metrics = _client(bundle, sites[0], tmp_path / "site_0", files).evaluate(ExchangeObject(weights=shared)).metrics
    written = json.loads((tmp_path / "site_0" / "eval" / "metrics.json").read_text())
    for name in ("image_auroc", "pixel_ap", "dice"):
        assert metrics[name] == written[name]["value"]


@pytest.mark.one_bundle
def test_weights_of_another_network_are_refused(bundle: Path, phantom_2d: Path, tmp_path: Path) -> None:
    client = _client(bundle, phantom_2d, tmp_path / "site", ["configs/train.json", "configs/smoke.json"])
    with pytest.raises(RuntimeError, match="No global weights converted"):
        client.train(ExchangeObject(weights={"other.weight": torch.zeros(3)}))


@pytest.mark.each_kind
def test_a_run_without_weights_says_what_to_do(bundle: Path, phantom_2d: Path, tmp_path: Path) -> None:
    missing = tmp_path / "model.pt"
    options = {"dataset_dir": phantom_2d, "ckpt_path": missing, "output_dir": tmp_path / "out"}
    for names, kind in (("inference smoke", "infer"), ("train evaluate smoke", "train"), ("train calibrate smoke", "")):
        with fails_with(
            InputError, f"{missing}: no weights there. Expected a trained model.pt. Train with train.json, or put"
        ):
            build(bundle, names, kind or "train", **options).run()
