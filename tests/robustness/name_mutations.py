# SPDX-License-Identifier: Apache-2.0
"""Names that files and folders can have, and few programs expect: any bytes but a slash and zero, up to 255 of them."""

import os

import numpy as np

Random = np.random.Generator

MOST_BYTES = 240  # a suffix follows
_PIECES = (
    *("scan", "01", "2024-01-02", "None", "true", "1e5", "nan", "{a}", "[x]", "[1]", "['a','b']", "{'a':'b'}"),
    *("a,b", "\u00e9"),
    *("$x", "$__import__('os').mkdir('ran')", "@image", "@output_dir", "%network", "a#b", "a::b", "image#0"),
    *("#", "**", "?"),
    *(" ", "  ", "\t", "\n", "\r", "\x01", "\x1b[31m", "\x7f", "'", '"', "`", ";", "&", "|", "<b>"),
    *("</script>", "\\", "\\n"),
    *("..", ".", "-", "--out", "-x", "=1+1", "+1", "@SUM(A1)", "~", "~root", "%s", "%d", "%(a)s", "{0}", "{{"),
    *("$HOME", "!"),
    *("con", "NUL", "aux.", "scores.csv", "run.json", "report.html", "metrics.json", "case", "_mask", "_seg"),
    *("a_b", "a b"),
    *("\u5f20\u4e09", "\u0418\u0432\u0430\u043d", "e\u0301", "\u00e9", "\u0645\u062d\u0645\u062f"),
    *("\u0928\u092e", "\u1112\u1161", "\u0130", "\u00df", "\ufb01"),
    *("\U0001f600", "\u202e", "\u200f", "\u200b", "\ufeff", "\u2028", "\u0085", "\u00a0", "\udcff"),
    *("\udce4\udcf6", "\ufffd", "\ue000"),
    *(".png", ".nii.gz", ".dcm", ".npz", ".npz#train_images[0]", ".json", ".zip", "datalist.json", "http://a"),
    *("file:", "C:"),
)  # fmt: skip


def strange_name(random: Random) -> str:
    """Make a name that a file can have here: one to four pieces, now and then many."""
    count = int(random.integers(1, 5)) if random.random() < 0.9 else 60
    name = "".join(_PIECES[int(random.integers(len(_PIECES)))].replace("/", ":") for _ in range(count))
    while len(os.fsencode(name)) > MOST_BYTES:
        name = name[:-1]
    return "dots" if name in ("", ".", "..") else name
