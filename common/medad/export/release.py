# SPDX-License-Identifier: Apache-2.0
"""Release: a bundle with its code and weights in one folder and one zip file, without medad installed.

::

    <name>/LICENSE  configs/*  docs/*  models/model.pt  models/calibration.json  scripts/__init__.py  scripts/medad/
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..configuration import PathLike, build
from ..errors import InputError
from ..files import atomic_path, user_path
from ..networks import holds_images, spread_of
from .archive import write_zip
from .configs import read_json, release_configs
from .destination import require_outside, require_replaceable, writing_to
from .metadata import release_metadata
from .onnx import export_onnx, require_onnx_can
from .source import Source, open_source
from .torchscript import export_torchscript

_PACKAGE = Path(__file__).resolve().parents[1]
_LEFT_OUT = [
    "bench",
    "crossval",
    "demo.py",
    "dicom_seg.py",
    "export",
    "fetch_backbone",
    "latent_size",
    "new_bundle",
    "phantom",
]
"""Doors and rooms that nobody opens in a release: it trains, calibrates, evaluates, infers, and has ``predict``."""
_SCRIPTS = '# SPDX-License-Identifier: Apache-2.0\n"""The code of this bundle."""\n'


@dataclass(frozen=True)
class Release:
    """What was written.

    Attributes:
        folder: the release as a folder, for MONAI Label and MONAI Deploy.
        archive: the same as a zip file.
        sha256: hash of the zip file.
        calibrated: whether it brings a calibration.
        holds_images: whether training images can be read from its weights.
    """

    folder: Path
    archive: Path
    sha256: str
    calibrated: bool
    holds_images: bool


def export_bundle(
    bundle: PathLike,
    out: PathLike,
    overlays: Sequence[PathLike] = (),
    weights: PathLike | None = None,
    calibration: PathLike | None = None,
    without_weights: bool = False,
    torchscript: bool = False,
    onnx: bool = False,
    include_bank: bool = False,
) -> Release:
    """Write a self-contained release of a bundle.

    Equal input gives equal files, to the last byte; with ``torchscript`` in a process that used none before, because
    torch numbers the classes of a process.

    Args:
        bundle: folder of the bundle.
        out: where ``<name>/`` and ``<name>_v<version>.zip`` go; an earlier release there is replaced.
        overlays: overlays that the weights were trained with; they become part of train.json and inference.json.
        weights: model.pt; by default that of the bundle.
        calibration: calibration.json; by default that beside the weights, if there is one.
        without_weights: whether to leave both out.
        torchscript: whether the network is added as ``models/model.ts``, which ``inference_ts.json`` runs.
        onnx: whether it is added as ``models/model.onnx``.
        include_bank: whether weights that hold training images may leave; ``metadata.json`` says so then.

    Returns:
        What was written.

    Raises:
        InputError: if the bundle or an overlay cannot be used, if weights are missing, do not fit, or hold training
            images that were not asked for, if the network cannot be exported, or if ``out`` cannot be written to or
            holds something else under the name of the bundle.
        CalibrationError: if the calibration belongs to other weights or settings.
        ValueError: if weights or calibration are both named and left out.
    """
    if without_weights and (weights is not None or calibration is not None):
        raise ValueError(f"weights={weights}, calibration={calibration}: must be None where without_weights is set.")
    root = user_path(bundle).resolve()
    folder = user_path(out).resolve() / root.name
    require_outside(folder, root)
    weights, calibration = (None if file is None else user_path(file) for file in (weights, calibration))
    source = open_source(root, overlays, weights, calibration, without_weights)
    if onnx:
        require_onnx_can(build(source.config, "inferer"), source.network)
    if (torchscript or onnx) and source.weights is None:
        raise InputError(
            "a network without weights is to be exported",
            where="command line",
            expected="weights, or a release without exported networks",
            remedy="Leave --torchscript and --onnx out.",
        )
    if (torchscript or onnx) and spread_of(source.network) is not None:
        raise InputError(
            "not exportable: the normative spread is no part of what the network computes",
            where="command line",
            expected="a method whose map needs nothing but the result of its network",
            remedy="Leave --torchscript and --onnx out, or normative_spread out of --overlay.",
        )
    with_images = source.weights is not None and holds_images(source.network)
    if with_images and not include_bank:
        raise InputError(
            "these weights hold the training images",
            where=source.weights,
            expected="weights whose bank has means of several subjects, as shared_bank makes them, or --include_bank",
            remedy="Train with shared_bank.json and give it as --overlay; or give --include_bank, if images may go.",
        )
    configs = release_configs(root, overlays)
    metadata = read_json(root / "configs" / "metadata.json")
    configs["metadata.json"] = release_metadata(metadata, source.image_shape, source.out_channels(), source.backbone())
    if with_images:
        configs["metadata.json"]["data_source"] = "The weights hold the training images"
    archive = folder.with_name(f"{root.name}_v{metadata['version']}.zip")
    forms: list[tuple[bool, str, Callable[..., None]]]
    forms = [(torchscript, "model.ts", export_torchscript), (onnx, "model.onnx", export_onnx)]
    with writing_to(folder.parent):
        require_replaceable(folder, archive)
        with atomic_path(folder) as partial:
            _copy(source, partial)
            for name, content in configs.items():
                (partial / "configs" / name).write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")
            for wanted, name, export in forms:
                if wanted:
                    described = {"metadata": configs["metadata.json"], "config": configs["inference.json"]}
                    export(source.network, partial / "models" / name, source.image_shape, **described)
        return Release(folder, archive, write_zip(folder, archive), source.calibration is not None, with_images)


def _copy(source: Source, folder: Path) -> None:
    """Copy what a release takes over as it is: documents, model and the package."""
    no_caches = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
    for name in ("configs", "docs"):
        shutil.copytree(source.bundle / name, folder / name, ignore=no_caches)
    shutil.copyfile(source.bundle / "LICENSE", folder / "LICENSE")
    (folder / "models").mkdir()
    for file, name in ((source.weights, "model.pt"), (source.calibration, "calibration.json")):
        if file is not None:
            shutil.copyfile(file, folder / "models" / name)
    left_out = {str(_PACKAGE): set(_LEFT_OUT)}
    shutil.copytree(
        _PACKAGE,
        folder / "scripts" / "medad",
        ignore=lambda place, names: no_caches(place, names) | left_out.get(place, set()),
    )
    (folder / "scripts" / "__init__.py").write_text(_SCRIPTS, encoding="utf-8")
