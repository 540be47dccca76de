# SPDX-License-Identifier: Apache-2.0
import shutil
from pathlib import Path

import pytest
from medad.errors import InputError
from medad.export import Release, export_bundle

BUNDLES = Path(__file__).resolve().parents[3] / "bundles"
BUNDLE = min(path.parent.parent for path in BUNDLES.glob("*/configs/inference.json"))


def _export(bundle: Path, out: Path) -> Release:
    return export_bundle(bundle, out, ["smoke"], without_weights=True)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle to take things from."""
    return Path(shutil.copytree(BUNDLE, tmp_path / "bundles" / BUNDLE.name, ignore=shutil.ignore_patterns("models")))


def test_only_a_release_or_an_empty_folder_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / BUNDLE.name
    folder.mkdir()
    release = _export(BUNDLE, tmp_path)
    (release.folder / "old").touch()
    assert _export(BUNDLE, tmp_path).sha256 == release.sha256 and not (release.folder / "old").exists()
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=rf"{BUNDLE.name}: something that is no release stands there.*another --out"):
        _export(BUNDLE, tmp_path)
    assert (folder / "thesis.tex").read_text() == "years of work"
    shutil.rmtree(folder)
    folder.write_text("years of work")
    with pytest.raises(InputError, match="something that is no release"):
        _export(BUNDLE, tmp_path)
    assert folder.read_text() == "years of work"
    folder.unlink()
    release.archive.unlink()
    release.archive.mkdir()
    with pytest.raises(InputError, match=rf"{release.archive.name}: something that is no release"):
        _export(BUNDLE, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [release.archive.name]


@pytest.mark.parametrize("out", ["file", "/proc/nowhere"])
def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path, out: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"the release cannot be written there.*another --out"):
        _export(BUNDLE, tmp_path / out)
