# SPDX-License-Identifier: Apache-2.0
"""Mean anomaly score of a cohort, as an ignite metric."""

from collections.abc import Sequence
from typing import Any

from ignite.metrics import Metric
from ignite.metrics.metric import reinit__is_reduced, sync_all_reduce

from ..errors import MedadError
from ..keys import Keys


class MeanScore(Metric):
    """Mean of ``anomaly_score`` over all cases; on normal images lower is better.

    It shows whether training still changes anything, not how well anomalies are found.
    """

    def __init__(self) -> None:
        super().__init__(skip_unrolling=True)  # unrolling fails where no case of an iteration could be processed

    @reinit__is_reduced
    def reset(self) -> None:
        """Forget all cases."""
        self.total = 0.0
        self.count = 0

    @reinit__is_reduced
    def update(self, output: Sequence[dict[str, Any]]) -> None:
        """Add the cases of one iteration."""
        self.total += sum(float(case[Keys.ANOMALY_SCORE]) for case in output)
        self.count += len(output)

    @sync_all_reduce("total", "count")
    def compute(self) -> float:
        """Mean over all ranks.

        Raises:
            MedadError: if no case was processed.
        """
        if self.count == 0:
            raise MedadError("No validation image could be processed: see the errors above.")
        return self.total / self.count
