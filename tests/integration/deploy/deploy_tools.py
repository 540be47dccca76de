# SPDX-License-Identifier: Apache-2.0
"""What the tests of MONAI Deploy share: releases of small trained bundles, and processes that do not know medad."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bundle_tools import ROOT, SmokeModel
from medad.predict import AnomalyDetector

PAGE = ROOT / "docs" / "how_to" / "monai_deploy.md"


@dataclass(frozen=True)
class Exported:
    """A small trained bundle, the overlays that it was trained with, and two releases of it."""

    model: SmokeModel
    overlays: list[str]
    mask: Path
    heatmap: Path

    def detector(self, *overlays: str) -> AnomalyDetector:
        """The bundle in this process, by medad itself."""
        return AnomalyDetector(self.model.bundle, [*self.overlays, *overlays], device="cpu", **self.model.paths)


def application_of_the_page() -> str:
    """Source of the one program that the how-to shows."""
    (source,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return str(source)


def run(cwd: Path, *arguments: object, **environment: object) -> subprocess.CompletedProcess[str]:
    """Run the interpreter where packages are installed and medad is not."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    given = {"OMP_NUM_THREADS": "1", **{key: str(value) for key, value in environment.items()}}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=kept | given, capture_output=True, text=True, timeout=300, check=False)
