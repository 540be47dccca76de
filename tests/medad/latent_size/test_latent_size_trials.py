# SPDX-License-Identifier: Apache-2.0
import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from medad.configuration import build, read_config
from medad.errors import InputError
from medad.latent_size.__main__ import main, run
from medad.latent_size.trials import mean_squared_error
from medad.loading import CaseDataset, CaseLoader
from medad.phantom import write_phantom_dataset
from torch import nn

BUNDLE = Path(__file__).resolve().parents[3] / "bundles" / "autoencoder"


def test_the_error_is_the_mean_over_all_pixels() -> None:
    images = torch.rand(5, 1, 4, 6)

    def load(item: dict[str, Any]) -> dict[str, Any]:
        if item["index"] == 9:
            raise ValueError("broken")
        return {**item, "image": images[item["index"]]}

    def error(items: list[dict[str, Any]]) -> float:
        loader = CaseLoader(CaseDataset(items, load), batch_size=2, spatial_dims=3)
        return mean_squared_error(nn.Softplus(), loader, torch.device("cpu"), "test")

    items = [{"index": i, "image": "x.png", "case": f"c{i}"} for i in range(5)]
    exact = ((nn.Softplus()(images) - images).double() ** 2).mean()
    assert error(items) == pytest.approx(float(exact), rel=1e-6)
    with pytest.raises(InputError, match="c9: cannot be used"):
        error([*items, {"index": 9, "image": "x.png", "case": "c9"}])


@pytest.fixture(scope="module")
def normals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom data set."""
    out = tmp_path_factory.mktemp("phantom") / "data"
    counts = {"training": 24, "calibration": 8, "validation": 0, "test": 6}
    write_phantom_dataset(out, spatial_dims=2, image_size=(32, 32), counts=counts, seed=3, progress=False)
    return out


def _run(data: Path, out: Path, **overrides: Any) -> tuple[Any, int]:
    small = {"image_size": [16, 16], "channels": [4, 8], "max_epochs": 2, "batch_size": 8}
    return run(BUNDLE, str(data), out, [1, 4, 16], ["smoke"], {**small, **overrides})


def test_a_sweep_looks_at_normal_images_only(normals: Path, tmp_path: Path) -> None:
    trials, chosen = _run(normals, tmp_path / "all")
    assert [trial.latent_size for trial in trials] == [1, 4, 16] and chosen in (1, 4, 16)
    with (tmp_path / "all" / "latent_size.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["heldout_error"]) for row in rows] == [trial.heldout_error for trial in trials]
    assert (tmp_path / "all" / "latent_size.png").stat().st_size > 5000
    # the same without a test split, and with nothing known of the others but that they are normal
    blind = tmp_path / "blind"
    shutil.copytree(normals, blind)
    datalist = json.loads((blind / "datalist.json").read_text())
    assert any(row["label"] == 1 for row in datalist["test"])
    datalist = {
        split: [{"image": row["image"], "label": 0} for row in datalist[split]] for split in ("training", "calibration")
    }
    for row in datalist["training"]:
        del row["label"]
    (blind / "datalist.json").write_text(json.dumps(datalist))
    again, chosen_again = _run(blind, tmp_path / "again")
    assert again == trials and chosen_again == chosen


def test_an_interrupted_sweep_keeps_what_it_trained(normals: Path, tmp_path: Path) -> None:
    trials, _ = _run(normals, tmp_path)
    shutil.rmtree(tmp_path / "latent_size_4")
    weights = tmp_path / "latent_size_16" / "model.pt"
    before = weights.stat().st_mtime_ns
    resumed, _ = _run(normals, tmp_path, resume=True)
    assert resumed == trials and weights.stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"the earlier run had max_epochs 2. Expected max_epochs 3"):
        _run(normals, tmp_path, resume=True, max_epochs=3)
    repeated, _ = _run(normals, tmp_path)
    assert repeated == trials and weights.stat().st_mtime_ns > before


def test_the_door_says_what_is_wrong_in_one_line(normals: Path, tmp_path: Path) -> None:
    arguments = ["--bundle", str(BUNDLE), "--dataset_dir", str(normals), "--out", str(tmp_path)]
    with pytest.raises(SystemExit, match="error: --sizes: 8 4 2 given"):
        main([*arguments, "--sizes", "8", "4", "2"])
    with pytest.raises(SystemExit, match=r"error: .*no key 'max_epoch'"):
        main([*arguments, "--max_epoch", "3"])
    with pytest.raises(SystemExit, match=r"error: .*no key 'latent_size'"):
        main(["--bundle", str(BUNDLE.parent / "denoising_autoencoder"), *arguments[2:]])
    with pytest.raises(SystemExit, match=r"error: .*nowhere"):
        main([*arguments[:3], str(tmp_path / "nowhere"), *arguments[4:], "--overlay", "smoke"])


def test_the_error_of_a_network_with_more_to_say_is_that_of_its_reconstruction(normals: Path, tmp_path: Path) -> None:
    small = {"image_size": [16, 16], "channels": [4, 8], "max_epochs": 1, "batch_size": 8}
    trials, _ = run(BUNDLE, str(normals), tmp_path, [1, 2, 4], ["variant_uncertainty", "smoke"], small)
    parser = read_config(BUNDLE, "inference", ["variant_uncertainty", "smoke"], small | {"latent_size": 2})
    network = build(parser, "network_def").eval()
    network.load_state_dict(torch.load(tmp_path / "latent_size_2" / "model.pt", weights_only=True))
    rows = json.loads((normals / "datalist.json").read_text())["calibration"]
    load = build(parser, "preprocessing")
    images = torch.stack([load({"image": str(normals / row["image"])})["image"] for row in rows])
    with torch.no_grad():
        exact = (network(images.as_tensor())[:, :1] - images.as_tensor()).square().double().mean()
    assert trials[1].heldout_error == pytest.approx(float(exact), rel=1e-5)


def test_a_larger_code_redraws_better(normals: Path, tmp_path: Path) -> None:
    trials, _ = _run(normals, tmp_path, max_epochs=60, learning_rate=0.01)
    errors = [trial.training_error for trial in trials]
    assert errors[0] > errors[-1] and np.isfinite(errors).all()
