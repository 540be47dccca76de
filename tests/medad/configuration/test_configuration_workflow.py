# SPDX-License-Identifier: Apache-2.0


import logging
from pathlib import Path

import pytest
from medad.configuration import open_workflow
from medad.errors import InputError


def test_a_workflow_has_its_overlays_and_overrides_and_has_not_run(tiny: Path) -> None:
    workflow = open_workflow(tiny, "inference", ["cpu"], {"batch_size": 7, "loss#reduction": "sum"})
    parsed = workflow.parser.get_parsed_content
    assert (parsed("size"), parsed("batch_size"), parsed("loss").reduction) == (5, 7, "sum")
    assert parsed("path") == f"{tiny}/models"  # the bundle is found from any folder
    assert workflow.workflow_type == "infer" and parsed("done") == []
    workflow.run()
    assert parsed("done") == ["run"]


def test_paths_are_given_as_text(tiny: Path, tmp_path: Path) -> None:
    assert open_workflow(tiny, "inference", [], {"path": tmp_path}).parser["path"] == str(tmp_path)


def test_a_misspelled_key_is_no_new_key(tiny: Path) -> None:
    with pytest.raises(InputError, match="'batch_size' in place of 'batchsize'"):
        open_workflow(tiny, "inference", [], {"batchsize": 7})


def test_logging_is_left_to_the_caller(tiny: Path) -> None:
    before = list(logging.getLogger().handlers)
    open_workflow(tiny, "inference")
    assert logging.getLogger().handlers == before
