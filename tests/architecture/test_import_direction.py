# SPDX-License-Identifier: Apache-2.0
"""The house rules that a reader of the tree relies on."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "common" / "medad"
# ground floor first: a room imports only from rooms above it in this list
ROOMS = (
    "__init__",
    "release_code",
    "explanations",
    "errors",
    "keys",
    "checks",
    "files",
    "morphology",
    "planes",
    "noise",
    "losses",
    "metrics",
    "networks",
    "formats",
    "transforms",
    "datalists",
    "loading",
    "phantom",
    "anomaly_map",
    "calibration",
    "diffusion",
    "inferers",
    "engines",
    "report",
    "handlers",
    "configuration",
    "command_line",
)
FILES = sorted(PACKAGE.rglob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> list[tuple[str, int]]:
    """Rooms that a file imports from, with line numbers; fails on an absolute import of the package."""
    found = []
    package = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            assert not any(alias.name.split(".")[0] == "medad" for alias in node.names), f"{path}:{node.lineno}"
        elif isinstance(node, ast.ImportFrom):
            assert node.level or (node.module or "").split(".")[0] != "medad", f"{path}:{node.lineno}: absolute import"
            if node.level:
                base = package[: len(package) - node.level + 1]
                full = [*base, *(node.module.split(".") if node.module else [])]
                targets = [full[0]] if full else [alias.name for alias in node.names]
                found += [(target if (PACKAGE / target).exists() or (PACKAGE / f"{target}.py").exists() else
                           "__init__", node.lineno) for target in targets]  # fmt: skip
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_up_only(path: Path) -> None:
    room = _room(path)
    for target, line in _imports(path):
        if target == room:
            continue
        assert target in ROOMS, f"{path.name}:{line} imports from a door: {target}"
        if room in ROOMS and path.name != "__main__.py":  # doors may import from every room
            assert ROOMS.index(target) < ROOMS.index(room), f"{path.name}:{line}: {room} imports from {target}"


def test_the_package_does_not_know_a_bundle() -> None:
    names = [folder.name for folder in (ROOT / "bundles").iterdir() if folder.is_dir()]
    for path in FILES:
        if _room(path) in ROOMS:
            text = path.read_text("utf-8")
            # as a path or a name of its own: "autoencoder" alone is a word of the field
            assert not [name for name in names if f"bundles/{name}" in text or f'"{name}"' in text], path


def test_no_room_is_called_utils() -> None:
    assert not [path for path in FILES if "util" in path.stem or "helper" in path.stem]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("__init__.py")), ids=lambda path: path.parent.name)
def test_no_public_name_is_that_of_a_module(path: Path) -> None:
    """A config's ``_target_`` would be the module, not the function, from Python 3.12 on."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
    public = {alias.asname or alias.name for node in nodes for alias in node.names}
    assert not public & {entry.stem for entry in path.parent.iterdir()}
