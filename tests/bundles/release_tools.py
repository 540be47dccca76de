# SPDX-License-Identifier: Apache-2.0
"""Run a release as its users do: in a process that knows pip-installed packages, and not medad."""

import os
import subprocess
import sys
from pathlib import Path

import torch

PACKAGES = Path(torch.__file__).resolve().parents[1]


def run_without_medad(cwd: Path, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run the interpreter where the packages are found, but not what is installed by a link, as medad is."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment |= {"PYTHONPATH": str(PACKAGES), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-S", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )


def options(**values: object) -> list[str]:
    """Values as options of a command line."""
    return [part for key, value in values.items() for part in (f"--{key}", str(value))]
