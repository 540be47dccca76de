# SPDX-License-Identifier: Apache-2.0
"""A new bundle trains, and bad names are refused."""

from pathlib import Path

import pytest
from medad.errors import InputError
from medad.new_bundle import create_bundle, kinds
from medad.new_bundle.__main__ import main

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """A project with no bundle yet."""
    (tmp_path / "LICENSE").write_text((ROOT / "LICENSE").read_text())
    (tmp_path / "bundles").mkdir()
    return tmp_path / "bundles"


@pytest.mark.parametrize("kind", kinds())
def test_a_new_bundle_has_every_file_of_the_others(bundles: Path, kind: str) -> None:
    new = create_bundle("my_method", kind, bundles)
    old = ROOT / "bundles" / "anoddpm"
    own = {"demo", "head_mri", *(path.stem for path in old.glob("configs/variant_*"))}
    expected = {str(path.relative_to(old)) for path in old.rglob("*") if path.is_file() and path.stem not in own}
    expected = {name for name in expected if name.split("/")[0] in ("LICENSE", "method.json", "configs", "docs")}
    assert expected <= {str(path.relative_to(new)) for path in new.rglob("*") if path.is_file()}
    assert "| Version | 0.1.0, for MONAI" in (new / "docs" / "README.md").read_text()


@pytest.mark.parametrize("name", ["My", "a-b", "lesion_detection", ""])
def test_names_that_mislead_are_refused(bundles: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be the name"):
        create_bundle(name, kinds()[0], bundles)


def test_nothing_is_overwritten_and_a_folder_elsewhere_is_refused(bundles: Path, tmp_path: Path) -> None:
    create_bundle("mine", kinds()[0], bundles)
    with pytest.raises(InputError, match="there is a bundle of this name"):
        create_bundle("mine", kinds()[0], bundles)
    with pytest.raises(InputError, match="no project there"):
        create_bundle("mine", kinds()[0], tmp_path / "bundles" / "mine")
    with pytest.raises(InputError, match="nothing is called 'nobody'"):
        create_bundle("other", "nobody", bundles)
    assert create_bundle("second", "mine", bundles).is_dir()


def test_the_door(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["mine", "--like", kinds()[0], "--out", str(bundles)])
    assert "make bundles" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="error: "):
        main(["mine", "--like", kinds()[0], "--out", str(bundles)])
