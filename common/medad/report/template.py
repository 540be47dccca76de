# SPDX-License-Identifier: Apache-2.0
"""The template of the report: HTML and CSS beside this file; what it prints is escaped, a missing value is an error."""

import base64
from importlib import resources

from .values import format_number, format_p_value

# found once: in a process with several releases the name of this package may lead to another one later
_FOLDER = resources.files(__package__) / "templates"


def render(**values: object) -> str:
    """Fill the template in.

    Args:
        values: all that ``templates/report.html`` names.

    Returns:
        A complete HTML document. Its policy forbids the browser to load anything from anywhere.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined  # here: importing medad stays quick

    environment = Environment(
        loader=FunctionLoader(lambda name: (_FOLDER / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"base64": _base64, "cut": _cut, "number": format_number, "p_value": format_p_value}
    return environment.get_template("report.html").render(values)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "\u2026"
