# SPDX-License-Identifier: Apache-2.0
"""Fixtures shared by all tests: real images where they are, a fixed seed, few threads."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from monai.utils import set_determinism

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Give every test the same random state, whatever ran before it."""
    set_determinism(0)


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    """Put back what a command sets for its log: levels, and handlers of the root."""
    root = logging.getLogger()
    handlers = set(root.handlers)
    levels = {name: logging.getLogger(name).level for name in (None, "medad", "monai", "ignite", "torch.onnx")}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    for handler in set(root.handlers) - handlers:
        root.removeHandler(handler)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the real images, or skip with the reason."""
    folder = os.environ.get("MEDAD_DATA")
    if not folder:
        pytest.skip("MEDAD_DATA is not set: no real images here")
    path = Path(folder).resolve()
    if not path.is_dir():
        pytest.fail(f"MEDAD_DATA={folder} is not a folder")
    return path
