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


@pytest.mark.parametrize("missing", ["LICENSE", "docs", "configs/metadata.json", "configs/train.json"])
def test_an_incomplete_bundle_is_refused(bundle: Path, tmp_path: Path, missing: str) -> None:
    (bundle / missing).rename(tmp_path / "away")
    with pytest.raises(InputError, match=f"no complete bundle there: it has no {missing}"):
        _export(bundle, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_release_is_not_exported_again(tmp_path: Path) -> None:
    release = _export(BUNDLE, tmp_path / "first")
    with pytest.raises(InputError, match=r"it is a release already.*Export that bundle"):
        export_bundle(release.folder, tmp_path / "again", without_weights=True)
    assert not (tmp_path / "again").exists()
