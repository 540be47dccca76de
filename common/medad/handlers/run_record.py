# SPDX-License-Identifier: Apache-2.0
"""Record of a run, ``run.json``: one is only continued with the same weights, calibration, settings and files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events

from ..calibration import StoredCalibration
from ..calibration.settings import changed_settings
from ..checks import require_flag
from ..errors import InputError
from ..files import write_json
from ..loading import CaseLoader
from ..loading.case_fingerprint import case_fingerprints
from ..loading.earlier_run import RUN_FILE, EarlierRun, read_earlier_run
from ..networks import holds_images
from .earlier_results import foreign_results, forget_unfinished, remove_results
from .first_rank import on_first_rank

_HOLD_IMAGES = "weights_hold_images"
_MOST = 4
"""How many differences are told."""


class RunRecord:
    """Write down what decides about the results before the first case, and meet the run that the folder holds.

    A folder that holds a run is refused, unless that run is continued or replaced; and so is one in which results would
    take the place of something that no run has written, such as the images themselves.

    Args:
        output_dir: folder of the run.
        calibration: the calibration of the run, with its weights, score settings, rates and threshold; its file may be
            missing.
        settings: further values by name, such as what the mask is called.
        resume: whether an earlier run is continued.
        overwrite: whether an earlier run is replaced: its results are removed.
        case_folders: whether results of each case get a folder of its name.

    Raises:
        InputError: if one of both is neither ``True`` nor ``False``, or an earlier run is to be both.
    """

    def __init__(
        self,
        output_dir: str | Path,
        calibration: StoredCalibration,
        settings: Mapping[str, Any] | None = None,
        resume: bool = False,
        overwrite: bool = False,
        case_folders: bool = True,
    ) -> None:
        self.folder = Path(output_dir)
        self.calibration = calibration
        self.settings = dict(settings or {})
        self.resume = resume
        self.overwrite = overwrite
        self.case_folders = case_folders
        require_flag(self.folder, resume=resume)
        require_flag(self.folder, overwrite=overwrite)
        if resume and overwrite:
            raise self._refusal("resume and overwrite given", "one of them", "Leave one of them out.")

    def attach(self, engine: Engine) -> None:
        """Compare and write when the run starts."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Meet the earlier run, if there is one, and write the record.

        Raises:
            InputError: if the folder holds a run that is neither continued nor replaced, or it was made with something
                else.
        """
        network = getattr(engine, "network", None)
        held = network is not None and holds_images(network)
        facts = {"amp": bool(getattr(engine, "amp", False)), _HOLD_IMAGES: held}
        on_first_rank(lambda: self._write(engine.data_loader, facts))

    def _write(self, loader: CaseLoader, facts: Mapping[str, bool]) -> None:
        cases = case_fingerprints(loader.dataset.data)
        settings = {**self._settings(), **facts}
        run = EarlierRun(settings, cases, loader.batch_size or 1, idist.get_world_size())
        earlier = read_earlier_run(self.folder)
        if earlier is not None and not (self.resume or self.overwrite):
            raise self._refusal(
                f"it holds the results of a run with {len(earlier.cases)} cases",
                "a folder of its own for every run",
                "Choose another output_dir; or set overwrite to replace that run, or resume to continue an inference.",
            )
        self._require_room(run, earlier)
        if earlier is not None:
            self._meet(earlier, run, loader.finished)
        write_json(self.folder / RUN_FILE, run.record())

    def _meet(self, earlier: EarlierRun, run: EarlierRun, finished: set[str]) -> None:
        if self.overwrite:
            remove_results(self.folder, earlier)
        else:
            self._require_same_settings(earlier.settings, run.settings)
            if not finished == run.cases.keys() == earlier.cases.keys():
                forget_unfinished(self.folder, finished)

    def _require_room(self, run: EarlierRun, earlier: EarlierRun | None) -> None:
        foreign = foreign_results(self.folder, run.cases if self.case_folders else (), earlier)
        if foreign:
            more = f" and {len(foreign) - _MOST} more" if len(foreign) > _MOST else ""
            raise self._refusal(
                f"written by no run and in the place of results: {', '.join(foreign[:_MOST])}{more}",
                "a folder without data or other files of the names of results",
                "Choose another output_dir, or move these away.",
            )

    def _require_same_settings(self, earlier: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        changed = [(name, now[name], earlier.get(name)) for name in now if name not in ("score", _HOLD_IMAGES)]
        changed = [each for each in changed if each[1] != each[2]]
        changed += changed_settings(now["score"] or {}, earlier.get("score") or {})
        if changed:
            raise InputError(
                f"the earlier run had {', '.join(f'{name} {before}' for name, _, before in changed[:_MOST])}; "
                f"this one has {', '.join(f'{name} {value}' for name, value, _ in changed[:_MOST])}",
                where=self.folder / RUN_FILE,
                expected="a run that is continued as it began",
                remedy="Give what the earlier run had, or begin anew in another output_dir.",
            )

    def _settings(self) -> dict[str, Any]:
        calibration = self.calibration
        return {
            "weights_sha256": calibration.weights_sha256,
            "calibration_sha256": calibration.file_sha256,
            "image_false_positive_rate": calibration.image_false_positive_rate,
            "guarantee": calibration.guarantee.value,
            "voxel_false_positive_rate": calibration.voxel_false_positive_rate,
            "threshold": calibration.threshold,
            "score": calibration.settings,
            **self.settings,
        }

    def _refusal(self, what: str, expected: str, remedy: str) -> InputError:
        return InputError(what, where=self.folder, expected=expected, remedy=remedy)
