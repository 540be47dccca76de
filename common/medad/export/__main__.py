# SPDX-License-Identifier: Apache-2.0
"""Write a release of a bundle: one folder and one zip file that run where medad is not installed."""

from collections.abc import Sequence
from pathlib import Path

from ..command_line import door, door_parser
from .release import Release, export_bundle


def summary(release: Release, without_weights: bool) -> str:
    """Say in a few lines what was written.

    Args:
        release: the release.
        without_weights: whether the weights were left out on purpose.

    Returns:
        Folder, zip file and its SHA-256, what is missing, and what has to be known before it is shared.
    """
    lines = [f"Folder:  {release.folder}", f"Zip:     {release.archive}", f"SHA-256: {release.sha256}"]
    if without_weights:
        lines.append("No weights in it: train.json has to be run first.")
    elif not release.calibrated:
        lines.append(
            "No calibration.json beside the weights: there are maps and scores, but no masks, until it is run."
        )
    if release.holds_images:
        lines.append("The weights hold the training images: share this release only where you may share those.")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the door.

    Args:
        arguments: the command line; that of the process by default.
    """
    parser = door_parser("export", __doc__)
    parser.add_argument("bundle", type=Path, help="folder of the bundle")
    parser.add_argument("--out", type=Path, required=True, help="folder for the release")
    parser.add_argument(
        "--overlay",
        nargs="+",
        action="extend",
        default=[],
        help="overlays that the weights were trained with, such as cpu, or paths of JSON files",
    )
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--weights", type=Path, help="model.pt; that of the bundle by default")
    parser.add_argument("--calibration", type=Path, help="calibration.json; by default that beside the weights")
    weights.add_argument("--without_weights", action="store_true", help="leave weights and calibration out")
    parser.add_argument("--torchscript", action="store_true", help="add the network as models/model.ts")
    parser.add_argument("--onnx", action="store_true", help="add the network as models/model.onnx")
    parser.add_argument(
        "--include_bank", action="store_true", help="write a release although its weights hold the training images"
    )
    given = parser.parse_args(arguments)
    with door():
        release = export_bundle(
            given.bundle,
            given.out,
            given.overlay,
            weights=given.weights,
            calibration=given.calibration,
            without_weights=given.without_weights,
            torchscript=given.torchscript,
            onnx=given.onnx,
            include_bank=given.include_bank,
        )
    print(summary(release, given.without_weights))


if __name__ == "__main__":
    main()
