# SPDX-License-Identifier: Apache-2.0
"""Explanations: errors of the system and of libraries that a user can act on, each in a sentence or two.

What is none of them is a fault of the program, and keeps its traceback.
"""

import errno
import re
import traceback

_EXTRAS = {"mlflow": "mlflow", "sqlalchemy": "mlflow"}  # optional package: extra of medad that brings it
_NO_DEVICE = re.compile(
    r"Torch not compiled with CUDA|No CUDA GPUs|no NVIDIA driver|CUDA driver|invalid device ordinal|device string"
    r"|cudaGetDeviceCount|CUDA-capable device"
)
_QUOTED = re.compile(r"Failed to evaluate ConfigExpression:\s*['\"](\$.*)['\"]", re.DOTALL)
_SHARED_MEMORY = re.compile(r"shared memory\(shm\)|out of shared memory|unable to (write to|mmap|resize) file </torch_")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_AGAIN = "Run it again; with resume, where the command takes it, it goes on from what is finished."
_EVALUATED = "<string>"
"""File name of what is no file: an expression of a configuration."""


def explain(error: BaseException) -> str | None:
    """Say what went wrong, for errors that a user can act on.

    Args:
        error: any exception.

    Returns:
        What to show in the place of a traceback, or ``None`` for another error.
    """
    explanations = (
        *(_interrupted, _missing_package, _no_device, _no_shared_memory, _of_the_system),
        *(_unfit_value, _unfit_expression),
    )
    return next((text for each in explanations if (text := each(error)) is not None), None)


def causes(error: BaseException) -> list[BaseException]:
    """The exception and its causes, outermost first."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__) is not None and cause not in chain:
        chain.append(cause)
    return chain


def is_full_disk(error: BaseException) -> bool:
    """Say whether the system says that there is no room for what was to be written."""
    return isinstance(error, OSError) and error.errno in _FULL


def _interrupted(error: BaseException) -> str | None:
    if not isinstance(error, KeyboardInterrupt):
        return None
    return f"interrupted. {_AGAIN}"


def _missing_package(error: BaseException) -> str | None:
    """Name the extra that brings an optional package which MONAI asked for in vain."""
    texts = [str(link) for link in causes(error) if isinstance(link, ImportError)]
    for name in re.findall(r"No module named '(\w+)", " ".join(texts)):
        if name in _EXTRAS:
            extra = _EXTRAS[name]
            return f'the package {name} is not installed. Install it with pip install "medad[{extra}]".'
    return None


def _no_device(error: BaseException) -> str | None:
    root = causes(error)[-1]
    text = str(root).strip().splitlines()[0] if str(root).strip() else ""
    if not isinstance(root, (AssertionError, RuntimeError)) or not _NO_DEVICE.search(text):
        return None
    return (
        f"device: it cannot be used here ({text.rstrip('.')}). Expected cpu, or cuda where PyTorch finds a GPU. "
        "Set device, such as --device cpu."
    )


def _no_shared_memory(error: BaseException) -> str | None:
    root = causes(error)[-1]
    places = [frame.filename for frame in traceback.extract_tb(root.__traceback__)]
    in_processes = is_full_disk(root) and any("multiprocessing" in place for place in places)
    if not in_processes and not (isinstance(root, RuntimeError) and _SHARED_MEMORY.search(str(root))):
        return None
    return (
        "the shared memory (/dev/shm) is full, through which loading processes hand over images. Set num_workers to 0, "
        "or make it larger, such as by docker run --shm-size 8g."
    )


def _of_the_system(error: BaseException) -> str | None:
    root = causes(error)[-1]
    if is_full_disk(root):
        return f"the disk is full. Make room. {_AGAIN}"
    if not isinstance(root, OSError) or root.filename is None:
        return None
    name = root.filename if isinstance(root.filename, str) else repr(root.filename)
    return f"{name}: {root.strerror or type(root).__name__}. Check the path and its permissions."


def _unfit_value(error: BaseException) -> str | None:
    """Say which part of a configuration refused its values, and why, where MONAI says neither in one line."""
    chain = causes(error)
    part = [re.search(r"Failed to instantiate component '([^']+)'", str(link)) for link in chain]
    named = [match.group(1) for match in part if match]
    return f"{named[-1]}: {chain[-1]}" if named and isinstance(chain[-1], ValueError) else None


def _unfit_expression(error: BaseException) -> str | None:
    """Quote an expression of a configuration that is none, such as a folder whose name begins with ``$``."""
    root = causes(error)[-1]
    frames = traceback.extract_tb(root.__traceback__)
    in_expression = isinstance(root, SyntaxError) or (bool(frames) and frames[-1].filename == _EVALUATED)
    quoted = [match[1] for link in causes(error) if (match := _QUOTED.search(str(link)))]
    if not in_expression or not quoted:
        return None
    return (
        f"{quoted[-1]}: it cannot be evaluated ({type(root).__name__}: {root}). For MONAI's command a value that "
        "begins with $ is Python code; let a path begin with ./ instead, or use python -m medad.predict, which takes "
        "it as it is."
    )
