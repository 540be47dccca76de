# SPDX-License-Identifier: Apache-2.0
import threading
import time

import pytest
from medad.loading.joined_threads import joined_threads


def test_no_thread_is_left_after_an_error() -> None:
    before = threading.active_count()

    def work(number: int) -> int:
        if number == 0:
            raise ValueError("torn")
        time.sleep(0.2)
        return number

    with pytest.raises(ValueError, match="torn"), joined_threads(4) as pool:
        list(pool.imap(work, range(8)))
    assert threading.active_count() == before


def test_results_keep_their_order() -> None:
    with joined_threads(3) as pool:
        assert list(pool.imap(abs, range(-5, 0))) == [5, 4, 3, 2, 1]
