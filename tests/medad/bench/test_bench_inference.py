# SPDX-License-Identifier: Apache-2.0
"""Bundle and stock script process the same files, and every stage of both is measured."""

import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from bundle_tools import BUNDLES, asked
from medad.bench.__main__ import main
from medad.bench.bundle import build, write_phantoms
from medad.bench.inference import StockScript
from medad.calibration import Calibration

TINY = ["--images", "2", "--volumes", "1", "--image-size", "32", "32", "--depth", "16", "--repeats", "1"]


@pytest.mark.parametrize("bundle", asked("each_kind"), ids=lambda folder: folder.name)
def test_rows_of_bundle_and_script(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    main(["inference", "--bundle", str(bundle), "--config", "smoke", *TINY, "--out", str(out)])
    with out.open() as file:
        rows = list(csv.DictReader(file))
    inputs = ["2 images of 32x32", "1 volumes of 32x32x16"]
    assert [row["input"] for row in rows] == [text for text in inputs for _ in range(2)]
    stages = ("loader", "network", "postprocessing", "saving", "report")
    for row in rows:
        values = [float(row[f"{stage}_ms"]) for stage in stages]
        assert min(values[:4]) > 0 and sum(values) == pytest.approx(float(row["case_ms"]), abs=0.1)
        assert (values[4] > 0) == (row["implementation"] == "medad")


@pytest.mark.slow
def test_the_bundle_with_another_setting_is_a_row_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, out = str(next(path for path in BUNDLES if path.name == "anoddpm")), tmp_path / "table.csv"
    options = ["inference", "--bundle", bundle, "--config", "smoke", *TINY, "--out", str(out)]
    main([*options, "--set", "mode=one_step", "--also", "channels_last=true", "batch_size=1"])
    with out.open() as file:
        names = [row["implementation"] for row in csv.DictReader(file)]
    assert names[:4] == ["medad", "medad, channels_last=true", "medad, batch_size=1", "MONAI's stock transforms"]
    with pytest.raises(SystemExit, match=r"error: .*no_such_key"):
        main([*options, "--set", "no_such_key=1"])
    with pytest.raises(SystemExit, match="error: mode: no value given"):
        main([*options, "--set", "mode"])


@pytest.mark.slow
def test_two_networks_are_measured_in_turn(tmp_path: Path) -> None:
    first, second = (str(next(path for path in BUNDLES if path.name == name)) for name in ("dtunet", "anoddpm"))
    out = tmp_path / "table.csv"
    options = ["--config", "variant_one_step", "smoke", *TINY, "--set", "start_levels=[8]", "--out", str(out)]
    main(["inference", "--bundle", first, "--against", second, *options, "--also", "batch_size=1"])
    with out.open() as file:
        rows = list(csv.DictReader(file))
    found = [(row["bundle"], row["implementation"]) for row in rows[:5]]
    each = ["medad", "medad, batch_size=1"]
    expected = [(name, text) for name in ("dtunet", "anoddpm") for text in each]
    assert found == [*expected, ("dtunet", "MONAI's stock transforms")]
    parameters = {row["bundle"]: row["parameters"] for row in rows}
    assert len(rows) == 10 and parameters["dtunet"] != parameters["anoddpm"]


@pytest.mark.parametrize(("dims", "size"), [(2, (40, 48)), (3, (40, 48, 16))])
def test_the_script_saves_results_on_the_grid_of_the_file(dims: int, size: tuple[int, ...], tmp_path: Path) -> None:
    write_phantoms(tmp_path / "data", dims, size, seed=0, test=1)
    (file,) = (tmp_path / "data" / "images").iterdir()
    paths = {"ckpt_path": tmp_path / "model.pt", "calibration_path": tmp_path / "calibration.json"}
    parser = build(BUNDLES[0], ["inference", "smoke"], dataset_dir=file, **paths).parser
    torch.save(parser.get_parsed_content("network_def").state_dict(), paths["ckpt_path"])
    rates, levels = (0.5, 0.002), (0.0, 1e-6)
    Calibration((1.0,), (1.0,), 1, 1000, 1000.0, rates, levels, "", "", "").save(paths["calibration_path"])
    script = StockScript(parser, tmp_path / "out")
    case = script.load({"image": str(file)})
    script.save(script.postprocess(case, script.infer(case["image"])))
    saved = {path.name.rsplit("_", 1)[-1].split(".")[0]: path for path in (tmp_path / "out").rglob("*.nii.gz")}
    arrays = {name: np.squeeze(nibabel.load(path).get_fdata()) for name, path in saved.items()}
    assert len(arrays) == 3 and {array.shape for array in arrays.values()} == {size}
    assert set(np.unique(arrays["pred"])) <= {0, 1} and arrays["pred"].any() and arrays["map"].min() >= 0
