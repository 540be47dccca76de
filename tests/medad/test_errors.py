# SPDX-License-Identifier: Apache-2.0
import pickle
import subprocess
import sys

import pytest
from medad.errors import InputError, brief, find_medad_error, reason, unwrap_errors

ERROR = InputError("3 channels found", where="a.png", expected="1", remedy="Convert it.")


def test_message_names_everything_and_survives_another_process() -> None:
    assert str(ERROR) == "a.png: 3 channels found. Expected 1. Convert it."
    again = pickle.loads(pickle.dumps(ERROR))
    assert type(again) is InputError and str(again) == str(ERROR) and again.remedy == "Convert it."


def test_the_cause_is_found_behind_wrappers() -> None:
    try:
        try:
            raise ERROR
        except InputError as error:
            raise RuntimeError("applying transform") from error
    except RuntimeError as wrapper:
        assert find_medad_error(wrapper) is ERROR
    assert find_medad_error(ValueError("other")) is None and find_medad_error(None) is None


def test_plain_errors_hide_the_traceback_of_known_errors_only() -> None:
    code = "from medad.errors import *; plain_errors(); raise {}"
    known = "InputError('bad', where='a', expected='b', remedy='c.')"
    for error, expected in ((known, False), ("ValueError('bug')", True)):
        done = subprocess.run([sys.executable, "-c", code.format(error)], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and ("Traceback" in done.stderr) is expected


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("InputError('bad', where='a', expected='b', remedy='c.')", "\nerror: a: bad. Expected b. c.\n"),
        ("SystemExit(3)", ""),
    ],
)
def test_errors_of_a_thread_are_as_plain_and_its_end_is_none(error: str, shown: str) -> None:
    code = (
        "from threading import Thread; from medad.errors import *; plain_errors()\n"
        f"def fail(): raise {error}\n"
        "thread = Thread(target=fail); thread.start(); thread.join()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, shown)


def test_a_part_of_a_configuration_that_refuses_its_values_is_named() -> None:
    code = (
        "from monai.bundle import ConfigParser; from medad.errors import plain_errors; plain_errors(); "
        "ConfigParser({'a': {'_target_': 'medad.networks.Autoencoder', 'spatial_dims': 2, 'in_channels': 1, "
        "'out_channels': 1, 'image_size': [30, 30]}, 'b': '$[@a]'}).get_parsed_content('b')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "error: medad.networks.Autoencoder: image_size=(30, 30): every entry must be a multiple" in done.stderr


def test_a_missing_optional_package_names_its_extra() -> None:
    """MONAI's tracking without mlflow, as ``--tracking mlflow`` meets it."""
    code = """
import sys

class Without:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "mlflow":
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Without())
from monai.bundle import ConfigParser
from medad.errors import plain_errors
plain_errors()
ConfigParser({"a": {"_target_": "MLFlowHandler"}, "b": "$[@a]"}).get_parsed_content("b")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert 'error: the package mlflow is not installed. Install it with pip install "medad[mlflow]".' in done.stderr


def test_what_monai_wraps_comes_out() -> None:
    known = InputError("empty", where="a.nii", expected="an image", remedy="Look at it.")
    with pytest.raises(InputError, match="empty") as caught, unwrap_errors():
        try:
            raise known
        except InputError as error:
            raise RuntimeError("applying transform") from error
    assert caught.value is known
    with pytest.raises(KeyError, match="a bug"), unwrap_errors():
        raise KeyError("a bug")


def test_the_reason_is_what_a_user_can_act_on_or_the_innermost_cause() -> None:
    wrapped, foreign = RuntimeError("applying transform"), RuntimeError("applying transform")
    wrapped.__cause__ = InputError("empty", where="a.nii", expected="an image", remedy="Look at it.")
    foreign.__cause__ = ZeroDivisionError("division by zero")
    assert reason(wrapped) == "a.nii: empty. Expected an image. Look at it."
    assert reason(foreign) == "ZeroDivisionError: division by zero"


def test_a_line_is_cut_only_where_it_is_too_long() -> None:
    text = "two words " + "x" * 30
    assert brief(ValueError(text), longest=40) == text
    assert brief(ValueError(text), longest=39) == f"{text[:36]}..."
    assert brief(ValueError("many\n  lines\tand\x00signs")) == "many lines and signs"
    assert brief(KeyError("one")) == "KeyError 'one'"
