# SPDX-License-Identifier: Apache-2.0
"""Start servers, and talk to them as clients do."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parents[3]
LABEL = ROOT / ".venv-label" / "bin"
DICOM_WEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_SECONDS = 120
_CLOSED = "http://127.0.0.1:9"
"""A proxy that does not exist: whatever asks for the network fails, as it does without one."""


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    Attributes:
        status: of HTTP.
        body: the content.
        log: what the server says, into a file.
        since: length of the log when the request was sent.
    """

    status: int
    body: bytes
    log: Path
    since: int

    @property
    def json(self) -> Any:
        """The body as JSON."""
        assert self.status == 200, self.body[:2000]
        return json.loads(self.body)

    def failed_with(self, text: str) -> bool:
        """Say whether the server failed and gave a reason; errors get into the log after the answer."""
        if self.status != 500:
            return False
        for _ in range(20):
            if text.encode() in self.log.read_bytes()[self.since :]:
                return True
            time.sleep(0.5)
        return False


@dataclass(frozen=True)
class Served:
    """A release as the server knows it.

    Attributes:
        bundle: the bundle that it comes from.
        dimension: of the network.
        overlays: what is baked in.
        folder: the release.
    """

    bundle: Path
    dimension: int
    overlays: tuple[str, ...]
    folder: Path


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: where it listens.
        log: what it says.
    """

    url: str
    log: Path

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> Answer:
        """Send a request and wait for the answer; an error status is an answer, too."""
        request = urllib.request.Request(self.url + path, data=body, method=method, headers={"Content-Type": kind})
        since = self.log.stat().st_size
        try:
            with urllib.request.urlopen(request, timeout=600) as response:
                return Answer(response.status, response.read(), self.log, since)
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), self.log, since)

    def infer(self, model: str, image: str, output: str = "image", **params: Any) -> Answer:
        """Ask for the result of one image."""
        form = urlencode({"params": json.dumps({"device": "cpu", **params})}).encode()
        path = f"/infer/{model}?{urlencode({'image': image, 'output': output})}"
        return self.ask("POST", path, form, "application/x-www-form-urlencoded")

    def save_label(self, image: str, label: Path, **params: Any) -> Answer:
        """Confirm a label, as the button of a client does."""
        boundary = uuid.uuid4().hex
        fields = [
            (f'name="label"; filename="{label.name}"', label.read_bytes()),
            ('name="params"', json.dumps(params).encode()),
        ]
        parts = [
            f"--{boundary}\r\nContent-Disposition: form-data; {name}\r\n\r\n".encode() + content + b"\r\n"
            for name, content in fields
        ]
        body = b"".join([*parts, f"--{boundary}--\r\n".encode()])
        path = f"/datastore/label?{urlencode({'image': image, 'tag': 'final'})}"
        return self.ask("PUT", path, body, f"multipart/form-data; boundary={boundary}")


def free_port() -> int:
    """Find a port that nobody listens at."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], port: int, ready: str, log: Path, environment: Mapping[str, str]) -> Iterator[Server]:
    """Run a server until the block ends.

    Args:
        command: program and arguments.
        port: where it will listen.
        ready: path that answers as soon as the server is ready.
        log: file for what it says.
        environment: variables added to those of this process.
    """
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **environment}, cwd=log.parent
        )
        server = Server(f"http://127.0.0.1:{port}", log)
        try:
            _wait(server, ready, process)
            yield server
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait(server: Server, ready: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end and process.poll() is None:
        if _is_ready(server, ready):
            return
        time.sleep(0.5)
    raise RuntimeError(f"{process.args} is not ready:\n{server.log.read_text(errors='replace')[-4000:]}")


def _is_ready(server: Server, path: str) -> bool:
    try:
        return server.ask("GET", path).status == 200
    except urllib.error.URLError:
        return False


@contextmanager
def monai_label(folder: Path, models: Mapping[str, Path], studies: str, **environment: str) -> Iterator[Server]:
    """Serve releases with MONAI Label, offline.

    Args:
        folder: where the app, its log and its caches go.
        models: releases by the name that they get.
        studies: folder of images, or address of a DICOM server.
        environment: settings of MONAI Label.
    """
    path = f"{LABEL}{os.pathsep}{os.environ['PATH']}"
    closed = {name: _CLOSED for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    variables = {"PATH": path, "HOME": str(folder), "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1", **closed}
    download = [str(LABEL / "monailabel"), "apps", "--download", "--name", "monaibundle", "--output", str(folder)]
    subprocess.run(download, env={**os.environ, **variables}, check=True, capture_output=True)
    (folder / "monaibundle" / "model").mkdir()
    for name, release in models.items():
        (folder / "monaibundle" / "model" / name).symlink_to(release)
    command = [str(LABEL / "monailabel"), "start_server", "--app", str(folder / "monaibundle"), "--studies", studies]
    port = free_port()
    command += ["--host", "127.0.0.1", "--port", str(port), "--conf", "models", ",".join(models)]
    command += ["--conf", "zoo_source", "ngc", "--conf", "sam2", "false"]
    with running(command, port, "/info/", folder / "server.log", {**variables, **environment}) as server:
        yield server


@contextmanager
def orthanc(folder: Path) -> Iterator[Server]:
    """Run the DICOM server Orthanc, which speaks DICOMweb at ``/dicom-web``.

    Args:
        folder: where its configuration, its log and its images go.
    """
    port = free_port()
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": port,
        "DicomServerEnabled": False,
        "Plugins": [str(DICOM_WEB)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with running(["Orthanc", str(folder / "orthanc.json")], port, "/system", folder / "orthanc.log", {}) as server:
        yield server
