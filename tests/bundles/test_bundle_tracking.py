# SPDX-License-Identifier: Apache-2.0
"""``--tracking mlflow``: losses, held-out scores and metrics of a run land in a local database."""

import json
from pathlib import Path
from typing import Any

import pytest
from bundle_tools import build

mlflow = pytest.importorskip("mlflow")


def _runs(folder: Path) -> dict[str, Any]:
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlruns.db'}")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = {run.info.run_name: run for run in client.search_runs(experiments)}
    return {name: (run, client) for name, run in runs.items()}


@pytest.mark.slow
@pytest.mark.each_kind
def test_training_and_evaluation_are_tracked(
    bundle: Path, phantom_2d: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    options = {
        "tracking": "mlflow",
        "dataset_dir": phantom_2d,
        "ckpt_dir": tmp_path / "models",
        "output_dir": tmp_path / "eval",
        "max_epochs": 2,
    }
    build(bundle, "train smoke", run_name="training", **options).run()
    build(bundle, "train evaluate smoke", run_name="test", **options).run()
    runs = _runs(tmp_path / "eval")
    assert set(runs) == {"training", "test"}
    training, client = runs["training"]
    assert training.info.status == "FINISHED"
    assert {"train_loss", "lr_group_0", "normal_score"} <= set(training.data.metrics)
    assert [entry.step for entry in client.get_metric_history(training.info.run_id, "normal_score")] == [1, 2]
    assert training.data.params["max_epochs"] == "2"
    assert list((tmp_path / "eval").glob("config_*.json"))
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    tracked = runs["test"][0].data.metrics
    defined = {name: entry["value"] for name, entry in metrics.items() if isinstance(entry, dict) and "value" in entry}
    assert tracked == pytest.approx({name: value for name, value in defined.items() if value is not None})
    assert {"image_auroc", "pixel_ap", "dice"} <= set(tracked)
