# SPDX-License-Identifier: Apache-2.0
"""Every metric of an evaluation has a name, an explanation and a direction."""

from medad.report.content import FIRST_METRICS
from medad.report.metric_names import METRIC_NAMES, metric_name


def test_names_are_unique_and_explained() -> None:
    assert len({name.title for name in METRIC_NAMES.values()}) == len(METRIC_NAMES)
    assert all(name.text.endswith(".") for name in METRIC_NAMES.values())
    assert {key for key, name in METRIC_NAMES.items() if not name.better} == {"oracle_threshold"}
    assert set(FIRST_METRICS) <= set(METRIC_NAMES)


def test_what_uses_the_test_labels_is_marked() -> None:
    assert {key for key, name in METRIC_NAMES.items() if name.oracle} == {"oracle_dice", "oracle_threshold"}
    assert metric_name("oracle_other").oracle


def test_an_unknown_metric_is_shown_as_it_is() -> None:
    assert metric_name("my_metric") == ("my_metric", "", "", "", False)
