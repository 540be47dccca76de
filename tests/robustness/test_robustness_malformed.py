# SPDX-License-Identifier: Apache-2.0
"""Malformed images: each becomes one clear error or finite values, within its time and memory; good ones are read."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bundle_tools import BUNDLES, of_each_kind
from byte_mutations import BYTE_MUTATIONS
from field_mutations import FIELD_MUTATIONS
from good_files import GOOD
from malformed import write_good, write_malformed
from medad.datalists import load_datalist
from medad.errors import InputError
from medad.transforms import LoadImageFiled
from strange_entries import STRANGE

pytestmark = pytest.mark.filterwarnings("ignore")  # pydicom comments on every damaged header
READ = Path(__file__).with_name("read_images.py")
MOST_MB = 2000


def read_all(folder: Path, results: Path, bundles: list[Path]) -> list[dict[str, object]]:
    """Read a folder in a subprocess, which must survive it, and return a row for each bundle and image."""
    command = [sys.executable, str(READ), str(folder), str(results), *map(str, bundles)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300, check=False)
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    assert done.returncode == 0, f"ended behind {rows[-1]}\n{done.stderr[-3000:]}"
    first, *rows, last = rows
    assert last["peak_mb"] < MOST_MB, (
        f"{first['peak_mb']:.0f} MB before the images, {last['peak_mb']:.0f} MB at the end"
    )
    return rows


@pytest.mark.parametrize(
    ("seed", "bundles"),
    [(0, BUNDLES[:1]), pytest.param(1, of_each_kind(), marks=pytest.mark.slow)],
)
def test_every_malformed_image_has_one_clear_outcome(tmp_path: Path, seed: int, bundles: list[Path]) -> None:
    count = 1000
    malformed = write_malformed(tmp_path / "images", count, seed)
    good = write_good(tmp_path / "images", "good_")
    rows = read_all(tmp_path / "images", tmp_path / "rows.jsonl", bundles)
    read = {bundle: {row["path"]: row["failure"] for row in rows if row["bundle"] == str(bundle)} for bundle in bundles}
    for outcome in read.values():
        assert set(outcome) >= set(map(str, malformed + good)) and len(malformed) == count
        failures = {path: str(text) for path, text in outcome.items() if text}
        assert not [path for path in map(str, good) if path in failures]
        # some damage leaves an image that can be read: flipped pixels, a wrong voxel size
        assert 0.6 * count < len(failures) < count
        for path, text in failures.items():
            assert path in text and " Expected " in text and text.endswith("."), text
            assert not re.search(r"\b[A-Z]\w+(Error|Exception): |Traceback", text), text
    assert all(row["finite"] for row in rows)


def test_a_folder_of_malformed_images_is_listed_whole(tmp_path: Path) -> None:
    """What cannot be an image is listed, too, and fails in sight; only intact DICOM objects of other kinds are not."""
    malformed = write_malformed(tmp_path / "images", 500)
    good = write_good(tmp_path / "images", "good_")
    listed = [Path(item["image"]) for item in load_datalist(tmp_path / "images", "inference", recursive=True)]
    assert len(set(listed)) == len(listed)
    found = {*listed, *(path.parent for path in listed)}
    assert not set(good) - found
    load = LoadImageFiled("image")
    for path in set(malformed) - found:
        with pytest.raises(InputError, match="Give the image series instead"):
            load({"image": path})


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    first, again, other = (write_malformed(tmp_path / name, 120, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    plain = [index for index, path in enumerate(first) if path.is_file() and not path.is_symlink()]
    assert [path.name for path in first] == [path.name for path in again]
    assert all(first[index].read_bytes() == again[index].read_bytes() for index in plain)
    assert any(first[index].read_bytes() != other[index].read_bytes() for index in plain)


def test_all_damage_and_all_forms_take_part(tmp_path: Path) -> None:
    names = " ".join(path.name for path in write_malformed(tmp_path / "images", 1000))
    kinds = [*BYTE_MUTATIONS, *(kind for kinds in FIELD_MUTATIONS.values() for kind in kinds)]
    assert not [kind.__name__ for kind in kinds if f"_{kind.__name__}_" not in names]
    assert not [name for name in (*GOOD, *STRANGE) if name.strip() not in names]
