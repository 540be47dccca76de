# SPDX-License-Identifier: Apache-2.0
"""Train, calibrate, evaluate and infer with every door to a network shut: ``run_offline.py DATA FOLDER BUNDLE...``.

Whatever wants to resolve a name or open a connection is refused and told; the exit status is then 1.
"""

import socket
import sys
from pathlib import Path
from typing import Any

EVENTS = (
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "socket.sendmsg",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.gethostbyaddr",
    "urllib.Request",
    "http.client.connect",
    "ftplib.connect",
    "smtplib.connect",
)
attempts: list[str] = []


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse a network connection; sockets between processes of this machine are none."""
    if event not in EVENTS:
        return
    if isinstance(arguments[0], socket.socket) and arguments[0].family == socket.AF_UNIX:
        return
    # urllib3, which MLflow imports, looks for IPv6 in this way
    if event == "socket.bind" and arguments[1][0] in ("::1", "127.0.0.1"):
        return
    attempts.append(f"{event} {arguments[1:] or arguments}")
    raise OSError(f"there is no network: {event}")


def main(data: Path, folder: Path, bundles: list[Path]) -> None:
    """Run each bundle with smoke.json; calibration is the second half of training."""
    from bundle_tools import build  # from here on nothing may reach a network, the imports included

    for bundle in bundles:
        models = folder / bundle.name
        paths = {"ckpt_path": models / "model.pt", "calibration_path": models / "calibration.json"}
        build(bundle, "train smoke", dataset_dir=data, ckpt_dir=models, output_dir=models / "log", **paths).run()
        build(bundle, "train evaluate smoke", dataset_dir=data, output_dir=models / "evaluation", **paths).run()
        build(bundle, "inference smoke", "infer", dataset_dir=data, output_dir=models / "inference", **paths).run()
        sys.stdout.write(f"{bundle.name} is done\n")


if __name__ == "__main__":
    sys.addaudithook(refuse)
    main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(bundle) for bundle in sys.argv[3:]])
    if attempts:
        sys.exit(f"the network was wanted: {attempts}")
