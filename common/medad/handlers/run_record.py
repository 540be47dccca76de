# SPDX-License-Identifier: Apache-2.0
"""Record of a run, ``run.json``: one is only continued with the same weights, calibration and settings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events

from ..calibration import StoredCalibration
from ..errors import InputError
from ..files import write_json


class RunRecord:
    """Write down what decides about the results before the first case; when resuming, compare.

    Args:
        output_dir: folder of the run.
        calibration: the calibration of the run, with its weights, score settings, rates and threshold; its file may be
            missing.
        settings: further values by name, such as what the mask is called.
        resume: whether an earlier run is continued.
    """

    def __init__(
        self,
        output_dir: str | Path,
        calibration: StoredCalibration,
        settings: Mapping[str, Any] | None = None,
        resume: bool = False,
    ) -> None:
        self.path = Path(output_dir) / "run.json"
        self.calibration = calibration
        self.settings = dict(settings or {})
        self.resume = resume

    def attach(self, engine: Engine) -> None:
        """Compare and write when the run starts."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Compare with the earlier run, if there is one to continue, and write the record.

        Raises:
            InputError: if the earlier run was made with something else.
        """
        record = self._record()
        if self.resume and self.path.is_file():
            earlier = json.loads(self.path.read_text(encoding="utf-8"))
            changed = [name for name in record if earlier.get(name) != record[name]]
            if changed:
                raise InputError(
                    f"the earlier run had {', '.join(f'{name} {earlier.get(name)}' for name in changed)}; "
                    f"this one has {', '.join(f'{name} {record[name]}' for name in changed)}",
                    where=self.path,
                    expected="a run that is continued as it began",
                    remedy="Give what the earlier run had, or begin anew in another output_dir.",
                )
        if idist.get_rank() == 0:
            write_json(self.path, record)

    def _record(self) -> dict[str, Any]:
        calibration = self.calibration
        return {
            "weights_sha256": calibration.weights_sha256,
            "calibration_sha256": calibration.file_sha256,
            "image_false_positive_rate": calibration.image_false_positive_rate,
            "voxel_false_positive_rate": calibration.voxel_false_positive_rate,
            "threshold": calibration.threshold,
            "score": calibration.settings,
            **self.settings,
        }
