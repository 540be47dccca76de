# SPDX-License-Identifier: Apache-2.0
"""What a user can act on is a sentence; what is a fault of the program keeps its traceback."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from medad.explanations import causes, explain, is_full_disk
from monai.bundle import ConfigParser


def wrapped(error: BaseException) -> RuntimeError:
    """Raise an error as MONAI does: behind one of its own."""
    try:
        try:
            raise error
        except BaseException as inner:
            raise RuntimeError("Failed to instantiate component 'x' with keywords: y") from inner
    except RuntimeError as outer:
        return outer


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AssertionError("Torch not compiled with CUDA enabled"), ["device", "--device cpu"]),
        (RuntimeError("No CUDA GPUs are available"), ["device", "--device cpu"]),
        (RuntimeError("Found no NVIDIA driver on your system. Please check.\nmore"), ["device", "--device cpu"]),
        (RuntimeError("CUDA error: invalid device ordinal\nCUDA kernel errors"), ["invalid device ordinal)"]),
        (OSError(errno.ENOSPC, "No space left on device"), ["the disk is full"]),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), ["the disk is full"]),
        (PermissionError(errno.EACCES, "Permission denied", "/out/x.csv"), ["/out/x.csv: Permission denied"]),
        (FileExistsError(errno.EEXIST, "File exists", "/out"), ["/out: File exists"]),
        (RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No (28)"), ["num_workers to 0"]),
        (RuntimeError("worker is killed by signal: Bus error. It is possible that workers are out of shared memory"),
         ["/dev/shm"]),
        (KeyboardInterrupt(), ["interrupted", "with resume, where the command takes it"]),
    ],
)  # fmt: skip
def test_errors_of_system_and_libraries(error: BaseException, words: list[str]) -> None:
    for each in (error, *([] if isinstance(error, KeyboardInterrupt) else [wrapped(error)])):
        text = explain(each)
        assert text is not None and "\n" not in text
        assert not [word for word in words if word not in text], text


@pytest.mark.parametrize("error", [RuntimeError("mat1 and mat2"), KeyError("x"), OSError("torn"), ZeroDivisionError()])
def test_a_fault_of_the_program_is_not_explained_away(error: Exception) -> None:
    assert explain(error) is None and explain(wrapped(error)) is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:7", "gpu"])
def test_a_device_that_is_not_there(device: str) -> None:
    config = ConfigParser({"net": {"_target_": "torch.nn.Linear", "in_features": 1, "out_features": 1}})
    config.update({"device": device, "on_device": "$@net.to(@device)"})
    with pytest.raises(RuntimeError) as caught:
        config.get_parsed_content("on_device")
    text = explain(caught.value)
    assert text is not None and text.startswith("device: it cannot be used here (")


def test_a_folder_that_is_taken_for_code() -> None:
    for value in ("$x", "$HOME/data"):
        config = ConfigParser({"dataset_dir": value, "list": "$[@dataset_dir]"})
        with pytest.raises(RuntimeError) as caught:
            config.get_parsed_content("list")
        text = explain(caught.value)
        assert text is not None and f"{value}: it cannot be evaluated (NameError" in text and "./" in text
    config = ConfigParser({"run": "$int.from_bytes(5)"})  # what an expression calls is another matter
    with pytest.raises(RuntimeError) as caught:
        config.get_parsed_content("run")
    assert causes(caught.value)[-1].__traceback__ is not None


def test_threads_and_processes_say_it_in_a_line(tmp_path: Path) -> None:
    code = """
import threading
from medad.errors import plain_errors
plain_errors()
thread = threading.Thread(target=lambda: open({path!r}, "w"))
thread.start(), thread.join()
open({path!r}, "w")
"""
    path = str(tmp_path / "none" / "x.csv")
    done = subprocess.run([sys.executable, "-c", code.format(path=path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.count(f"error: {path}: No such file or directory") == 2


def test_a_full_disk_is_known_by_its_number() -> None:
    assert is_full_disk(OSError(errno.ENOSPC, "")) and not is_full_disk(OSError("4096 requested and 2016 written"))
