# SPDX-License-Identifier: Apache-2.0
"""Benchmark of inference: files to files, against a script of MONAI's stock transforms on the same files.

Both use the same untrained network and the same inferer. The script loads, resizes and scales one image, runs the
network, smooths the map, takes it back to the grid of the file, thresholds it, drops small objects and saves map, mask
and reconstruction. It has no foreground, p-value, table, report or provision for a bad file. Other bundles can be
measured in turn with the first one, such as one of another network with as many parameters.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stderr
from functools import partial
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.engines.utils import IterationEvents
from monai.inferers import SliceInferer
from monai.transforms import (
    AsDiscrete,
    Compose,
    EnsureChannelFirstd,
    Invertd,
    LoadImaged,
    MedianSmooth,
    RemoveSmallObjects,
    Resized,
    SaveImaged,
    ScaleIntensityd,
)
from torch import Tensor

from ..calibration import load_calibration
from ..keys import Keys
from .bundle import add_bundle_arguments, build, parameters, settings, write_phantoms
from .timing import Stopwatch, interleaved, machine

STAGES = ("loader", "network", "postprocessing", "saving", "report")
_CALIBRATION_IMAGES = 20
_OUTPUTS = (Keys.ANOMALY_MAP, Keys.PRED, Keys.RECONSTRUCTION)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    add_bundle_arguments(parser, images=64)
    parser.add_argument(
        "--also", nargs="*", default=[], metavar="KEY=VALUE", help="measure the bundle with each of these, too"
    )
    parser.add_argument(
        "--against", nargs="*", type=Path, default=[], metavar="BUNDLE", help="measure these bundles in turn with it"
    )
    parser.add_argument("--volumes", type=int, default=2, help="number of phantom volumes")
    parser.add_argument("--depth", type=int, default=32, help="slices of a volume")


def run(args: argparse.Namespace) -> list[dict[str, object]]:
    """Measure both on images, where the network is 2D, and on volumes.

    Args:
        args: options of :func:`add_arguments`.

    Returns:
        For each kind of input a row for each bundle, one for each ``--also`` of it, and one for the script.

    Raises:
        InputError: if a bundle has no such config.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundles = {bundle: folder / str(number) for number, bundle in enumerate([args.bundle, *args.against])}
        dims, *_ = [_calibrate(args, bundle, own) for bundle, own in bundles.items()]
        plane = list(args.image_size or (128, 128))[:2]
        inputs = [("volumes", 3, [*plane, args.depth], args.volumes)]
        if dims == 2:
            inputs.insert(0, ("images", 2, plane, args.images))
        rows: list[dict[str, object]] = []
        for kind, axes, size, count in inputs:
            write_phantoms(folder / kind, axes, size, args.seed, test=count)
            files = sorted((folder / kind / "images").iterdir())
            configured = {
                bundle: partial(build, bundle, ["inference", *args.config], **_paths(own), **settings(args.set))
                for bundle, own in bundles.items()
            }
            runs = {}
            for bundle, with_bundle in configured.items():
                runs[bundle, "medad"] = partial(ours, with_bundle, folder / kind / "images")
                for text in args.also:
                    changed = partial(with_bundle, **settings([text]))
                    runs[bundle, f"medad, {text}"] = partial(ours, changed, folder / kind / "images")
            script = (args.bundle, "MONAI's stock transforms")
            runs[script] = partial(theirs, configured[args.bundle], files)
            results = interleaved(runs, args.repeats)
            size_text = "x".join(map(str, size))
            for (bundle, implementation), seconds in results.items():
                network = configured[bundle]().parser.get_parsed_content("network_def")
                rows.append(
                    {
                        "benchmark": "inference",
                        "bundle": bundle.resolve().name,
                        "config": " ".join(args.config),
                        "input": f"{count} {kind} of {size_text}",
                        "implementation": implementation,
                        "parameters": parameters(network),
                        **_per_case(seconds, results[script], count),
                        **machine(),
                    }
                )
    return rows


def ours(configured: Any, folder: Path) -> dict[str, float]:
    """Run the bundle, its parts told apart by the events of its evaluator; building it is not measured."""
    with tempfile.TemporaryDirectory() as out:
        parser = configured(dataset_dir=folder, output_dir=out).parser
        evaluator: Engine = parser.get_parsed_content("evaluator")
        laps = _Laps()
        evaluator.add_event_handler(Events.STARTED, laps.start)
        for event, stage in (
            (Events.GET_BATCH_STARTED, "report"),
            (Events.GET_BATCH_COMPLETED, "loader"),
            (IterationEvents.FORWARD_COMPLETED, "network"),
            (IterationEvents.MODEL_COMPLETED, "postprocessing"),
            (Events.ITERATION_COMPLETED, "saving"),
            (Events.COMPLETED, "report"),
        ):
            # attached after all others, so that their work belongs to the stage that ends here
            evaluator.add_event_handler(event, partial(laps.end, stage))
        with redirect_stderr(StringIO()):
            evaluator.run()
        return laps.seconds


def theirs(configured: Any, files: Sequence[Path]) -> dict[str, float]:
    """Run the script, image by image."""
    with tempfile.TemporaryDirectory() as out:
        script = StockScript(configured(dataset_dir=files[0]).parser, Path(out))
        watch = Stopwatch(script.device)
        for file in files:
            with watch("loader"):
                case = script.load({Keys.IMAGE: str(file)})
            with watch("network"), torch.no_grad():
                output = script.infer(case[Keys.IMAGE].to(script.device))
            with watch("postprocessing"):
                case = script.postprocess(case, output)
            with watch("saving"):
                script.save(case)
        return watch.seconds


class StockScript:
    """What a user of MONAI would write for one image.

    Args:
        parser: config of the bundle; gives network, inferer and numbers.
        out: folder for the results.
    """

    def __init__(self, parser: ConfigParser, out: Path) -> None:
        content = parser.get_parsed_content
        self.device: torch.device = content("device")
        self.dims = int(content("spatial_dims"))
        self.network = content("network").eval()
        self.network.load_state_dict(torch.load(content("ckpt_path"), weights_only=True))
        self.inferer = content("inferer")
        self.size = list(content("image_size"))
        self.slices = SliceInferer(2, roi_size=self.size, sw_batch_size=int(content("batch_size")))
        smooths = "median_kernel_size" in parser.get()  # a method whose map is smooth does without
        self.median = MedianSmooth(radius=int(content("median_kernel_size")) // 2 if smooths else 0)
        threshold = load_calibration(content("calibration_path")).voxel_threshold(
            float(content("voxel_false_positive_rate"))
        )
        self.to_mask = Compose(
            [AsDiscrete(threshold=threshold), RemoveSmallObjects(min_size=int(content("min_lesion_size")))]
        )
        self.load = Compose(
            [
                LoadImaged(Keys.IMAGE),
                EnsureChannelFirstd(Keys.IMAGE),
                Resized(Keys.IMAGE, spatial_size=self.size + [-1] * (3 - self.dims)),
                ScaleIntensityd(Keys.IMAGE),
            ]
        )
        self.invert = Invertd(
            [Keys.ANOMALY_MAP, Keys.RECONSTRUCTION], self.load, orig_keys=Keys.IMAGE, allow_missing_keys=True
        )
        self.savers = [
            SaveImaged(
                key, output_dir=out, output_postfix=str(key), resample=False, print_log=False, allow_missing_keys=True
            )
            for key in _OUTPUTS
        ]

    def infer(self, image: Tensor) -> Tensor:
        """Give map and reconstruction of an image or, slice by slice, of a volume."""
        values = image.as_subclass(Tensor)
        if values.ndim - 1 == self.dims:
            output: Tensor = self.inferer(values[None], self.network)[0]
        else:
            output = self.slices(values[None], lambda slices: self.inferer(slices, self.network))[0]
        return output

    def postprocess(self, case: dict[Any, Any], output: Tensor) -> dict[Any, Any]:
        """Smooth the map, take it and the reconstruction, if any, to the grid of the file, and make the mask."""
        smooth = output[:1]
        if smooth.ndim - 1 > self.dims:  # the slices as channels, so that the median stays within each
            smooth = self.median(smooth[0].movedim(-1, 0)).movedim(0, -1)[None]
        else:
            smooth = self.median(smooth)
        case[Keys.ANOMALY_MAP] = MetaTensor(smooth).copy_meta_from(case[Keys.IMAGE])
        if len(output) > 1:
            case[Keys.RECONSTRUCTION] = MetaTensor(output[1:]).copy_meta_from(case[Keys.IMAGE])
        case = self.invert(case)
        case[Keys.PRED] = self.to_mask(case[Keys.ANOMALY_MAP])
        return case

    def save(self, case: dict[Any, Any]) -> None:
        """Write the results as NIfTI files."""
        for saver in self.savers:
            saver(case)


class _Laps:
    """Time between the events of one run, added up by what ends at the event."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)

    def start(self) -> None:
        """Start the clock."""
        self.last = time.perf_counter()

    def end(self, stage: str) -> None:
        """End one stage; the next one begins."""
        now = time.perf_counter()
        self.seconds[stage] += now - self.last
        self.last = now


def _paths(folder: Path) -> dict[str, Path]:
    return {"ckpt_path": folder / "model.pt", "calibration_path": folder / "calibration.json"}


def _calibrate(args: argparse.Namespace, bundle: Path, folder: Path) -> int:
    """Write untrained weights and calibrate them on normal phantoms; returns the dimension of the network."""
    configured = partial(
        build,
        bundle,
        ["train", "calibrate", *args.config],
        dataset_dir=folder / "normal",
        **_paths(folder),
        **settings(args.set),
    )
    parser = configured(output_dir=folder / "log").parser
    dims = int(parser.get_parsed_content("spatial_dims"))
    size = None if args.image_size is None or len(args.image_size) != dims else args.image_size
    write_phantoms(folder / "normal", dims, size, args.seed, calibration=_CALIBRATION_IMAGES)
    torch.manual_seed(args.seed)
    torch.save(parser.get_parsed_content("network_def").state_dict(), folder / "model.pt")
    configured(output_dir=folder / "log").run()
    return dims


def _per_case(
    rounds: Sequence[dict[str, float]], reference: Sequence[dict[str, float]], cases: int
) -> dict[str, object]:
    """Give medians per case; the speed relative to the reference is the median over pairs of neighboring runs."""
    totals = [sum(each.values()) for each in rounds]
    pairs = zip(totals, (sum(each.values()) for each in reference), strict=True)
    stages = {stage: median(each.get(stage, 0.0) for each in rounds) for stage in STAGES}
    return {
        "cases_per_second": round(cases / median(totals), 2),
        "relative": round(median(other / own for own, other in pairs), 2),
        "case_ms": round(1000 * median(totals) / cases, 2),
        **{f"{stage}_ms": round(1000 * seconds / cases, 2) for stage, seconds in stages.items()},
    }
