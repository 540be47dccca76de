# SPDX-License-Identifier: Apache-2.0
"""Read and preprocess all images of a folder in a process of its own: ``read_images.py FOLDER RESULTS BUNDLE...``.

One JSON line per bundle and image goes to RESULTS, the first with the peak memory before any image was read and the
last with that at the end. An image that takes too long ends the process; the last line then names the one before it.
"""

import faulthandler
import json
import logging
import sys
from pathlib import Path

import torch
from medad.loading import CaseDataset
from monai.bundle import ConfigParser

SECONDS = 20.0


def main(folder: Path, results: Path, bundles: list[str]) -> None:
    """Write what became of each image."""
    logging.disable(logging.CRITICAL)
    paths = sorted(folder.iterdir())
    with results.open("w") as out:
        out.write(json.dumps({"peak_mb": _peak_mb()}) + "\n")
        for bundle in bundles:
            config = ConfigParser()
            config.read_config([f"{bundle}/configs/inference.json", f"{bundle}/configs/smoke.json"])
            items = [{"image": str(path), "case": path.name} for path in paths]
            dataset = CaseDataset(items, config.get_parsed_content("preprocessing"))
            for index, path in enumerate(paths):
                faulthandler.dump_traceback_later(SECONDS, exit=True)
                case = dataset[index]
                faulthandler.cancel_dump_traceback_later()
                finite = "failure" in case or bool(torch.isfinite(case["image"]).all())
                row = {"bundle": bundle, "path": str(path), "failure": case.get("failure"), "finite": finite}
                out.write(json.dumps(row) + "\n")
                out.flush()
        out.write(json.dumps({"peak_mb": _peak_mb()}) + "\n")


def _peak_mb() -> float:
    # not ru_maxrss: that of a process begins with what its parent held
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
