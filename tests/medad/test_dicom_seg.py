# SPDX-License-Identifier: Apache-2.0
import json
import shutil
import sys
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pytest
import torch
from medad.dicom_seg import main, write_segmentation
from medad.errors import InputError
from medad.handlers import dicom_results
from medad.transforms import LoadImageFiled
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, ornt_transform

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bundles"))
from dicom_files import OBLIQUE, assert_same_by_position, write_series


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """An oblique series, slices last to first."""
    values = np.random.default_rng(0).integers(1, 1000, (5, 7, 6))
    write_series(tmp_path / "head", values, "MR", OBLIQUE, reverse=True)
    return tmp_path / "head"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """What of a bundle a SEG names."""
    (tmp_path / "method" / "configs").mkdir(parents=True)
    (tmp_path / "method" / "models").mkdir()
    metadata = {"name": "Method - what it does", "version": "1.2.3"}
    (tmp_path / "method" / "configs" / "metadata.json").write_text(json.dumps(metadata))
    torch.save({"w": torch.zeros(2)}, tmp_path / "method" / "models" / "model.pt")
    return tmp_path / "method"


def _mask(series: Path, path: Path, axes: str, highest: int = 1, shift: float = 0.0) -> Path:
    """A mask on the grid of the series, its voxels listed in another order."""
    volume = LoadImageFiled("image")({"image": str(series)})["image"]
    affine = np.asarray(volume.affine, dtype=np.float64)
    values = (np.random.default_rng(1).random(volume.shape[1:]) < 0.3).astype(np.uint8) * highest
    turn = ornt_transform(nibabel.io_orientation(affine), axcodes2ornt(axes))
    turned = affine @ inv_ornt_aff(turn, values.shape)
    turned[:3, 3] += shift
    nibabel.save(nibabel.Nifti1Image(apply_orientation(values, turn), turned), path)
    return path


@pytest.mark.parametrize("axes", ["RAS", "LPS", "SPL"])
def test_voxels_keep_their_place(
    series: Path, bundle: Path, tmp_path: Path, axes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = _mask(series, tmp_path / "mask.nii.gz", axes)
    main([str(mask), "--series", str(series), "--bundle", str(bundle), "--out", str(tmp_path / "out")])
    path = Path(capsys.readouterr().out.splitlines()[-1])
    assert path == tmp_path / "out" / "head_mask.dcm" and list(path.parent.iterdir()) == [path]
    written = highdicom.seg.segread(path)
    assert_same_by_position(mask, written.get_volume(combine_segments=True))
    assert written.ContentDescription == "Anomaly mask, research use only"
    algorithm = written.get_segment_description(1).algorithm_identification
    assert (algorithm.name, algorithm.version) == ("Method", "1.2.3")


def test_what_does_not_fit_is_refused(series: Path, bundle: Path, tmp_path: Path) -> None:
    mask = _mask(series, tmp_path / "mask.nii.gz", "RAS")
    small = nibabel.load(mask)
    nibabel.save(nibabel.Nifti1Image(np.asarray(small.dataobj)[1:], small.affine), tmp_path / "small.nii.gz")
    (tmp_path / "text.nii.gz").write_text("no image")
    for path, what in (
        (tmp_path / "small.nii.gz", "another grid"),
        (_mask(series, tmp_path / "moved.nii.gz", "RAS", shift=1.0), "another grid"),
        (_mask(series, tmp_path / "heat.nii.gz", "RAS", highest=127), "values up to 127"),
        (tmp_path / "text.nii.gz", "cannot be read"),
    ):
        with pytest.raises(InputError, match=what):
            write_segmentation(path, series, bundle, tmp_path / "out")
    with pytest.raises(InputError, match="it is no DICOM"):
        write_segmentation(mask, mask, bundle, tmp_path / "out")
    with pytest.raises(SystemExit, match="it is no DICOM"):
        main([str(mask), "--series", str(mask), "--bundle", str(bundle), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_dots_in_the_name_of_a_folder_stay(series: Path, bundle: Path, tmp_path: Path) -> None:
    mask = _mask(series, tmp_path / "mask.nii.gz", "RAS")
    written = []
    for name in ("1.2.840.10", "1.2.840.11"):
        shutil.copytree(series, tmp_path / name)
        written.append(write_segmentation(mask, tmp_path / name, bundle, tmp_path / "out"))
    assert [path.name for path in written] == ["1.2.840.10_mask.dcm", "1.2.840.11_mask.dcm"]
    assert set(written) == set((tmp_path / "out").iterdir())


def test_a_result_of_another_series_is_not_replaced(series: Path, bundle: Path, tmp_path: Path) -> None:
    mask = _mask(series, tmp_path / "mask.nii.gz", "RAS")
    written = write_segmentation(mask, series, bundle, tmp_path / "out")
    content = written.read_bytes()
    again = _mask(series, tmp_path / "empty.nii.gz", "RAS", highest=0)
    assert write_segmentation(again, series, bundle, tmp_path / "out") == written
    assert written.read_bytes() != content
    values = np.random.default_rng(0).integers(1, 1000, (5, 7, 6))
    write_series(tmp_path / "other" / "head", values, "MR", OBLIQUE, reverse=True)
    content = written.read_bytes()
    with pytest.raises(InputError, match=r"head_mask.dcm: a file that was not made from this series.*another --out"):
        write_segmentation(mask, tmp_path / "other" / "head", bundle, tmp_path / "out")
    assert written.read_bytes() == content
    written.write_text("notes")
    with pytest.raises(InputError, match="not made from this series"):
        write_segmentation(mask, series, bundle, tmp_path / "out")


def test_errors_speak_of_this_command(
    series: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask, out = _mask(series, tmp_path / "mask.nii.gz", "RAS"), tmp_path / "out"
    with pytest.raises(InputError, match=r"it has no configs/metadata\.json.*Correct --bundle"):
        write_segmentation(mask, series, tmp_path, out)
    (bundle / "models" / "model.pt").rename(tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"it has no models/model\.pt.*Correct --bundle"):
        write_segmentation(mask, series, bundle, out)
    (tmp_path / "model.pt").rename(bundle / "models" / "model.pt")
    write_series(tmp_path / "lost", np.ones((5, 7, 6)), "MR", OBLIQUE, reverse=True, FrameOfReferenceUID=None)
    with pytest.raises(InputError, match="no FrameOfReferenceUID in its headers") as lost:
        write_segmentation(mask, tmp_path / "lost", bundle, out)
    with monkeypatch.context() as context:
        context.setattr(dicom_results, "find_spec", lambda name: None)
        with pytest.raises(InputError, match=r'pip install "medad\[dicom\]"') as missing:
            write_segmentation(mask, series, bundle, out)
    for error in (lost, missing):
        assert "dicom_output" not in str(error.value) and "other files" not in str(error.value)
    assert not out.exists()
    with pytest.raises(InputError, match=r"cannot be written.*another --out"):
        write_segmentation(mask, series, bundle, mask)
