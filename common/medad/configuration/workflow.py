# SPDX-License-Identifier: Apache-2.0
"""A bundle's workflow from Python, as ``python -m monai.bundle run`` makes it."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from monai.bundle import ConfigWorkflow

from ..files import user_path
from .config import PathLike, config_files, read_config
from .data_values import as_data, data_overrides


def open_workflow(
    bundle: PathLike, base: str, overlays: Sequence[PathLike] = (), overrides: Mapping[str, Any] | None = None
) -> ConfigWorkflow:
    """Read a configuration and initialize its workflow; nothing is run.

    Args:
        bundle: folder of the bundle; becomes ``bundle_root``.
        base: ``"inference"`` or ``"train"``.
        overlays: names of overlays of the bundle, such as ``"cpu"``, or paths of JSON files.
        overrides: values by key; ``#`` or ``::`` reaches into a nested one. Values are data, never expressions.

    Returns:
        The workflow.

    Raises:
        InputError: if the bundle, an overlay or a key does not exist.
    """
    read_config(
        bundle, base, overlays, overrides or {}
    )  # a misspelled key ends here; MONAI would add it and not use it
    root = user_path(bundle)
    # MONAI warns that it was asked not to set up logging
    logging.getLogger("monai.bundle.workflows").setLevel(logging.ERROR)
    workflow = ConfigWorkflow(
        config_file=config_files(bundle, base, overlays),
        meta_file=str(root / "configs" / "metadata.json"),
        logging_file=False,
        workflow_type="infer" if base == "inference" else base,
        **{**data_overrides(overrides or {}), "bundle_root": as_data(root)},
    )
    workflow.initialize()
    return workflow
