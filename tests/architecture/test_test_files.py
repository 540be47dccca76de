# SPDX-License-Identifier: Apache-2.0
"""A reader finds the tests of a module by its name."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE, TESTS = ROOT / "common" / "medad", ROOT / "tests" / "medad"


def _has_functions(path: Path) -> bool:
    return any(isinstance(node, ast.FunctionDef) for node in ast.walk(ast.parse(path.read_text("utf-8"))))


def _test_files(path: Path) -> list[Path]:
    """Where the tests of a module may be: under its own name, or under that of its family."""
    *folders, _ = path.relative_to(PACKAGE).parts
    room, families = folders[:1], folders[1:]
    return [TESTS.joinpath(*room, "_".join(["test", *room, name]) + ".py") for name in (path.stem, *families)]


def test_every_module_with_a_function_has_a_test_file() -> None:
    """Modules that only list names or constants have no behavior of their own; doors are tested by what they open."""
    modules = [path for path in PACKAGE.rglob("*.py") if not path.stem.startswith("__") and _has_functions(path)]
    missing = [path for path in modules if not any(file.is_file() for file in _test_files(path))]
    assert not missing, [str(_test_files(path)[0].relative_to(ROOT)) for path in sorted(missing)]
