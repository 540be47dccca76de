# SPDX-License-Identifier: Apache-2.0
"""Make torchvision importable beside a torch of another build, such as its CUDA wheel beside a CPU torch.

Its compiled operators do not load then, and the import ends with "operator torchvision::nms does not exist". MONAI
Label imports torchvision to draw pictures and calls none of its operators. So those that the import asks for are
declared here, without an implementation. Nothing is changed where torchvision works. ``make test-label`` runs this with
the interpreter of the environment.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

DECLARATION = """

if not _has_ops():  # added by prepare_torchvision.py
    for _name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{_name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


def imports() -> bool:
    """Say whether a fresh interpreter can import torchvision."""
    return (
        subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True, check=False).returncode == 0
    )


def main() -> None:
    """Declare what is missing, and check that this was all."""
    if imports():
        return
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        sys.exit("torchvision is not installed")
    extension = Path(spec.origin).with_name("extension.py")
    extension.write_text(extension.read_text(encoding="utf-8") + DECLARATION, encoding="utf-8")
    if not imports():
        sys.exit("torchvision cannot be imported; install torch and torchvision from the same index")


if __name__ == "__main__":
    main()
