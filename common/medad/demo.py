# SPDX-License-Identifier: Apache-2.0
"""The whole way in one command: phantom heads, training, calibration, evaluation, inference, report.

Runs the very commands that a user types for real images and shows each of them.
"""

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

from .command_line import door, door_parser
from .configuration import as_data, read_config
from .errors import InputError

_SHOWN = {
    "image_auroc": "image AUROC",
    "pixel_ap": "pixel average precision",
    "dice": "Dice at the calibrated threshold",
    "false_positive_rate": "normal images called abnormal",
    "lesion_sensitivity": "lesions found",
}


def bundle_command(bundle: Path, configs: list[str], **overrides: object) -> list[str]:
    """Build a ``monai.bundle run`` command.

    Args:
        bundle: folder of the bundle.
        configs: names of the config files, base first.
        overrides: keys of the config to override.

    Returns:
        Command and arguments.
    """
    files = json.dumps([str(bundle / "configs" / f"{name}.json") for name in configs]).replace('"', "'")
    command = [
        sys.executable,
        "-m",
        "monai.bundle",
        "run",
        "--bundle_root",
        as_data(str(bundle)),
        "--config_file",
        files,
    ]
    command += ["--logging_file", str(bundle / "configs" / "logging.conf")]
    for key, value in overrides.items():
        command += [f"--{key}", as_data(value) if isinstance(value, str) else json.dumps(value)]
    return command


def run_demo(bundle: Path, out: Path, seed: int = 0) -> dict[str, dict[str, float]]:
    """Run the demonstration.

    Args:
        bundle: folder of the bundle.
        out: folder for everything the demonstration writes.
        seed: seed of phantom and training.

    Returns:
        The metrics of the test split.

    Raises:
        InputError: if the bundle has no demonstration.
        subprocess.CalledProcessError: if a step fails.
    """
    if not (bundle / "configs" / "demo.json").is_file():
        have = sorted(file.parents[1].name for file in bundle.resolve().parent.glob("*/configs/demo.json"))
        raise InputError(
            "configs/demo.json is missing",
            where=bundle,
            expected=f"a bundle with a demonstration ({', '.join(have) or 'none is near'})",
            remedy="Choose one of these; for the others docs/getting_started.md goes the same way step by step.",
        )
    data, models = out / "phantom", out / "models"
    paths = {"ckpt_dir": str(models), "ckpt_path": str(models / "model.pt")}
    paths["calibration_path"] = str(models / "calibration.json")
    phantom = [sys.executable, "-m", "medad.phantom", "--out", str(data), "--image_size", "128", "128"]
    both_classes = bool(read_config(bundle, "train", ["cpu", "demo"], {}).get("train#dataset#both_classes", False))
    training = ["--training", "800", "--training_abnormal", "800"] if both_classes else ["--training", "1600"]
    phantom += [*training, "--calibration", "60", "--validation", "0", "--test", "80", "--seed", str(seed)]
    steps = {
        "phantom heads": phantom,
        "training and calibration": bundle_command(
            bundle,
            ["train", "cpu", "demo"],
            dataset_dir=str(data),
            output_dir=str(out / "training"),
            **paths,
            seed=seed,
        ),
        "evaluation": bundle_command(
            bundle,
            ["train", "evaluate", "cpu", "demo"],
            dataset_dir=str(data),
            output_dir=str(out / "evaluation"),
            overwrite="True",
            **paths,
        ),
        "inference": bundle_command(
            bundle,
            ["inference", "cpu", "demo"],
            dataset_dir=str(data),
            output_dir=str(out / "inference"),
            overwrite="True",
            ckpt_path=paths["ckpt_path"],
            calibration_path=paths["calibration_path"],
        ),
    }
    for number, (title, command) in enumerate(steps.items(), start=1):
        started = time.perf_counter()
        print(f"\n[{number}/{len(steps)}] {title}\n$ {shlex.join(['python', *command[1:]])}", flush=True)
        subprocess.run(command, check=True)
        print(f"    done in {time.perf_counter() - started:.0f} s", flush=True)
    metrics: dict[str, dict[str, float]] = json.loads((out / "evaluation" / "metrics.json").read_text("utf-8"))
    return metrics


def main() -> None:
    """Run the demonstration from the command line."""
    parser = door_parser("demo", __doc__)
    parser.add_argument("--bundle", type=Path, required=True, help="folder of a bundle")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for everything that is written")
    parser.add_argument("--seed", type=int, default=0, help="seed of phantom and training")
    arguments = parser.parse_args()
    try:
        with door():
            metrics = run_demo(arguments.bundle, arguments.out, arguments.seed)
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: step failed with status {error.returncode}; the message is above.")
    print("\nPhantom test split:")
    for name, title in _SHOWN.items():
        metric = metrics[name]
        interval = "" if metric["low"] is None else f"   (95 % interval {metric['low']:.3f} to {metric['high']:.3f})"
        value = "not defined" if metric["value"] is None else f"{metric['value']:.3f}"
        print(f"    {title:34s} {value}{interval}")
    print(f"\nReport: {(arguments.out / 'evaluation' / 'report.html').resolve()}")
    print(f"Maps and masks: {(arguments.out / 'inference').resolve()}")


if __name__ == "__main__":
    main()
