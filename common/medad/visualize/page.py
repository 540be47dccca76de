# SPDX-License-Identifier: Apache-2.0
"""The HTML page around a report: its style sheet, its frame and a few elements. Everything given as text is escaped."""

from __future__ import annotations

import base64
import html

DISCLAIMER = "Research use only. Not a medical device."

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --card: #ffffff; --ink: #1c2430; --muted: #5c6675; --line: #d5dae1; --accent: #0b6e80;
  --calibration: #8a94a3; --normal: #2f6db5; --abnormal: #c2512f;
  --good: #1d7a4a; --notice: #fdf3d8; --notice-ink: #6b4a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11151a; --card: #181d24; --ink: #e4e8ee; --muted: #9aa5b3; --line: #2c343f; --accent: #57bccb;
    --calibration: #7d8898; --normal: #79aee8; --abnormal: #ec8a68;
    --good: #6cc99a; --notice: #2e2714; --notice-ink: #efd38a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto,
  "Helvetica Neue", "Liberation Sans", Arial, sans-serif; font-variant-numeric: tabular-nums;
}
.notice {
  background: var(--notice); color: var(--notice-ink); text-align: center; padding: .5rem 1rem; font-weight: 600;
  font-size: .9rem;
}
.frame { max-width: 1120px; margin: 0 auto; padding: 2.2rem 1.5rem 3rem; }
h1 { font-size: 1.85rem; line-height: 1.2; letter-spacing: -.015em; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; letter-spacing: -.005em; margin: 0 0 .25rem; }
h3 { font-size: .95rem; margin: 0 0 .4rem; }
section { margin-top: 2.6rem; }
p { margin: .25rem 0 .9rem; max-width: 78ch; }
.lead, .quiet { color: var(--muted); }
.lead { margin: .35rem 0 1.3rem; font-size: 1.02rem; }
.quiet { font-size: .88rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.1rem 1.25rem; }
.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .3rem 1.4rem; margin: 0; }
.facts { font-size: .88rem; }
.facts dt { color: var(--muted); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
code, .hash { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; font-size: .92em; }
.brief { display: flex; flex-wrap: wrap; gap: .3rem 2rem; margin: 0 0 .8rem; font-size: .92rem; }
.brief div { display: flex; gap: .5rem; }
.brief dt { color: var(--muted); }
.brief dd { margin: 0; font-weight: 550; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 1rem; margin-top: .9rem; }
.tile .name { color: var(--muted); font-size: .88rem; }
.tile .value { font-size: 2.05rem; font-weight: 620; line-height: 1.25; letter-spacing: -.02em; }
.tile .value.none { color: var(--muted); font-weight: 400; }
.tile .note { color: var(--muted); font-size: .83rem; line-height: 1.4; }
.scroll { overflow-x: auto; padding: .35rem 1.25rem; margin-top: .9rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: baseline; padding: .55rem 1.2rem .55rem 0; }
th, td { border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--muted); font-weight: 500; font-size: .83rem; }
tbody th { font-weight: 550; min-width: 14.5rem; }
th:last-child, td:last-child { padding-right: 0; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.text { color: var(--muted); min-width: 22ch; overflow-wrap: anywhere; }
.key { color: var(--muted); font-weight: 400; font-size: .83em; white-space: nowrap; }
tbody .key { display: block; }
.arrow { color: var(--muted); font-weight: 400; }
.tag {
  display: inline-block; border: 1px solid currentColor; border-radius: 99px; padding: 0 .55em; font-size: .76rem;
  line-height: 1.5; font-weight: 550; white-space: nowrap;
}
.tag.quietly { color: var(--muted); } .tag.good { color: var(--good); } .tag.bad { color: var(--abnormal); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 1rem; margin-top: .9rem; }
.charts .wide { grid-column: 1 / -1; }
figure { margin: 0; }
.chart { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.chart * { stroke-linejoin: round; }
.chart text { font-family: inherit; }
.scale { display: grid; grid-template-columns: max-content minmax(0, 340px) max-content; gap: .35rem .8rem; }
.scale { align-items: center; }
.scale .bar { height: 14px; border-radius: 3px; position: relative; border: 1px solid var(--line); }
.scale .mark { position: absolute; top: -4px; bottom: -4px; width: 2px; background: var(--ink); }
.scale .mark { box-shadow: 0 0 0 1px var(--card); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; font-size: .88rem; margin-top: .55rem; }
.legend .line {
  display: inline-block; width: 1.9em; height: .95em; vertical-align: -.1em; margin-right: .5em; border-radius: 3px;
  background: linear-gradient(currentColor, currentColor) center / 100% 3px no-repeat, #26292e;
}
.group { margin: 1.7rem 0 .2rem; }
.case {
  display: grid; grid-template-columns: minmax(10.6rem, 1fr) minmax(0, 802px); gap: .9rem 1.3rem; padding: 1.1rem 0;
  border-top: 1px solid var(--line); break-inside: avoid;
}
.case h4 { margin: 0 0 .35rem; font-size: .98rem; overflow-wrap: anywhere; line-height: 1.3; }
.case .facts { gap: .05rem .8rem; font-size: .86rem; margin-top: .45rem; }
.case .why { color: var(--muted); font-size: .8rem; line-height: 1.35; margin: .5rem 0 0; }
.panels { display: grid; grid-template-columns: repeat(4, minmax(0, 192px)); gap: .7rem; }
.panels img { display: block; width: 100%; height: auto; border-radius: 5px; background: #000; }
.panels figcaption { color: var(--muted); font-size: .78rem; margin-top: .25rem; }
.guide { columns: 2 24rem; column-gap: 2.6rem; }
.guide div { break-inside: avoid; margin-bottom: 1rem; }
.guide p { margin: 0; font-size: .92rem; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1rem; }
footer { color: var(--muted); font-size: .85rem; }
@media screen and (max-width: 760px) {
  tr { display: grid; grid-template-columns: minmax(0, 1fr) 4.6rem 6.6rem; gap: 0 .6rem; padding: .5rem 0; }
  tbody tr { border-top: 1px solid var(--line); }
  th, td { border: 0; padding: 0; }
  .datasets tr { display: table-row; }
  .datasets th, .datasets td { padding: .4rem .8rem .4rem 0; }
  tbody th { min-width: 0; }
  :not(.datasets) > table thead th:nth-child(4) { display: none; }
  td.text { grid-column: 1 / -1; font-size: .95em; }
  .case { grid-template-columns: minmax(0, 1fr); }
  .panels { grid-template-columns: repeat(2, minmax(0, 192px)); }
  .facts:not(.case .facts) { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .facts:not(.case .facts) dd { margin-bottom: .5rem; }
}
@media print {
  :root {
    --page: #fff; --card: #fff; --ink: #000; --muted: #444; --line: #bbb; --accent: #0b6e80; --calibration: #777;
    --normal: #2f6db5; --abnormal: #b34420; --good: #156038; --notice: #fff; --notice-ink: #000; color-scheme: light;
  }
  @page { margin: 14mm; }
  :root { font-size: 12px; }
  body { font-size: 12px; }
  .frame { padding: 1rem 0 0; max-width: none; }
  section { margin-top: 1.8rem; }
  .tiles { grid-template-columns: repeat(4, 1fr); gap: .6rem; }
  .charts { grid-template-columns: repeat(3, 1fr); gap: .6rem; }
  .card { padding: .7rem .8rem; }
  .case { grid-template-columns: 8.5rem minmax(0, 1fr); padding: .8rem 0; }
  .notice { border-bottom: 1px solid #000; }
  .card, figure, .tile { break-inside: avoid; }
  .scroll { break-inside: auto; overflow: visible; }
  tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .bar, .panels img, .line { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


def page(title: str, body: str) -> str:
    """Put the frame of a page around its content.

    Args:
        title: title of the document, as text.
        body: content, as HTML.

    Returns:
        A complete document. Its policy forbids the browser to load anything from anywhere.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<div class="notice" role="note">{DISCLAIMER}</div>
<main class="frame">
{body}
<footer>{DISCLAIMER} Not for diagnosis or treatment.</footer>
</main>
</body>
</html>
"""


def escape(value: object, *, longest: int = 1000) -> str:
    """Make text safe in HTML, within an attribute too.

    Args:
        value: anything; its ``str`` is shown.
        longest: longer text is cut.

    Returns:
        The escaped text.
    """
    text = str(value)
    return html.escape(text if len(text) <= longest else text[: longest - 1] + "\u2026", quote=True)


def picture(jpeg: bytes, description: str) -> str:
    """Embed a JPEG file.

    Args:
        jpeg: bytes of the file.
        description: what it shows, as text.

    Returns:
        One ``<img>`` element.
    """
    data = base64.b64encode(jpeg).decode("ascii")
    return f'<img src="data:image/jpeg;base64,{data}" alt="{escape(description)}">'


def tag(text: str, kind: str = "quietly") -> str:
    """Draw a small label.

    Args:
        text: its text.
        kind: ``"good"``, ``"bad"`` or ``"quietly"``.

    Returns:
        One ``<span>`` element.
    """
    return f'<span class="tag {kind}">{escape(text)}</span>'


def facts(rows: list[tuple[str, str]]) -> str:
    """List names and values.

    Args:
        rows: name, as text, and value, as HTML.

    Returns:
        One ``<dl>`` element.
    """
    return '<dl class="facts">' + "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in rows) + "</dl>"


def brief(rows: list[tuple[str, str]]) -> str:
    """List short names and values in running lines.

    Args:
        rows: name, as text, and value, as HTML.

    Returns:
        One ``<dl>`` element.
    """
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in rows)
    return f'<dl class="brief">{items}</dl>'


def section(title: str, body: str, lead: str = "") -> str:
    """Put a heading over a part of the page.

    Args:
        title: heading, as text.
        body: content, as HTML.
        lead: sentence below the heading, as text.

    Returns:
        One ``<section>`` element, or nothing if there is no content.
    """
    if not body:
        return ""
    sentence = f'<p class="quiet">{escape(lead)}</p>' if lead else ""
    return f"<section>\n<h2>{escape(title)}</h2>\n{sentence}\n{body}\n</section>\n"
