# SPDX-License-Identifier: Apache-2.0
"""DICOM results: a Segmentation and a Parametric Map per case, beside the other files."""

import dataclasses
import functools
import json
import logging
import traceback
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, MedadError
from ..formats import is_dicom_source, read_dicom_source
from ..formats.dicom_silence import silent_headers
from ..networks import weights_hash
from .dicom_objects import Algorithm, parametric_map, segmentation
from .dicom_reference import cannot_refer, referable

_logger = logging.getLogger(__name__)

INSTALL_HIGHDICOM = 'pip install "medad[dicom]" or pip install highdicom'
_LONGEST = 64  # characters of a DICOM long string


class DicomResults:
    """Write ``<case>_mask.dcm`` (DICOM SEG) and ``<case>_anomaly_map.dcm`` (Parametric Map) for DICOM images.

    Args:
        wanted: ``True``: a DICOM image without them is a failure. ``"auto"``: they are written where that is possible,
            and the log says where it is not. ``False``: they are not written.
        bundle_root: bundle whose name and version the objects carry.
        weights_path: the weights used.

    Raises:
        InputError: if ``wanted`` is true and highdicom is not installed, or ``wanted`` is something else.
    """

    def __init__(self, wanted: bool | str, bundle_root: str | Path, weights_path: str | Path) -> None:
        if not isinstance(wanted, bool) and wanted != "auto":
            raise InputError(
                f"{wanted!r} found", where="dicom_output", expected="True, False or auto", remedy="Correct the value."
            )
        installed = find_spec("highdicom") is not None
        if wanted is True and not installed:
            raise InputError(
                "highdicom is not installed, so no DICOM can be written",
                where="dicom_output",
                expected="the extra dicom of medad",
                remedy=f"Install it ({INSTALL_HIGHDICOM}), or set dicom_output to False.",
            )
        self.wanted = wanted
        self.enabled = bool(wanted) and installed
        self.told = False
        self.bundle_root = Path(bundle_root)
        self.weights_path = weights_path

    def write(
        self,
        stem: Path,
        source: str,
        anomaly_map: NDArray[np.float32] | None,
        mask: NDArray[np.uint8] | None = None,
        white: float = 1.0,
    ) -> None:
        """Write the objects of one case, if it comes from DICOM; all or none. Their folder is made where it is missing.

        Args:
            stem: path that ``_mask.dcm`` and ``_anomaly_map.dcm`` are appended to.
            source: file or folder that the case comes from.
            anomaly_map: ``(x, y[, z])`` on the grid of the image; ``None`` where there is none.
            mask: the same grid, 0/1; ``None`` where there is none.
            white: value of the map that viewers show white.

        Raises:
            InputError: if they are required and the image cannot be referred to. What its headers say is not quoted.
        """
        if not self.wanted or not is_dicom_source(source):
            return
        self._tell()
        if not self.enabled:
            return
        try:
            self._write(stem, source, anomaly_map, mask, white)
        except InputError as error:
            if self.wanted is True:
                raise
            _logger.warning("%s", error)

    def _write(
        self,
        stem: Path,
        source: str,
        anomaly_map: NDArray[np.float32] | None,
        mask: NDArray[np.uint8] | None,
        white: float,
    ) -> None:
        try:
            with silent_headers():
                image = read_dicom_source(source)
                image = dataclasses.replace(image, headers=referable(image.headers, source))
                objects = {}
                if anomaly_map is not None:
                    objects["anomaly_map"] = parametric_map(image, anomaly_map, self._algorithm, white)
                if mask is not None:
                    objects["mask"] = segmentation(image, mask, self._algorithm)
                stem.parent.mkdir(parents=True, exist_ok=True)
                for what, content in objects.items():
                    content.save_as(_file(stem, what))
        except (MedadError, OSError):
            raise
        except Exception as error:  # its text may quote the headers, so only its place is told
            for what in ("anomaly_map", "mask"):
                _file(stem, what).unlink(missing_ok=True)
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}, line {place.lineno}"
            raise cannot_refer(f"{type(error).__name__} in {where}", source) from None

    def _tell(self) -> None:
        """Say once what happens with DICOM images."""
        if self.told:
            return
        self.told = True
        if self.enabled:
            _logger.info("DICOM images: mask and map are written as DICOM, too (SEG and Parametric Map)")
        else:
            _logger.warning(
                "DICOM images: mask and map are not written as DICOM, since highdicom is not installed: %s",
                INSTALL_HIGHDICOM,
            )

    @functools.cached_property
    def _algorithm(self) -> Algorithm:
        metadata = json.loads((self.bundle_root / "configs" / "metadata.json").read_text(encoding="utf-8"))
        name = metadata["name"].split(" - ")[0]  # what follows is a description
        return Algorithm(name[:_LONGEST], metadata["version"], weights_hash(self.weights_path))


def _file(stem: Path, what: str) -> Path:
    return stem.with_name(f"{stem.name}_{what}.dcm")
