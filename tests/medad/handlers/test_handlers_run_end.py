# SPDX-License-Identifier: Apache-2.0
import pytest
from ignite.engine import Engine
from medad.handlers.run_end import at_the_end


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_everything_is_closed_once_however_a_run_ends(error: type[BaseException] | None) -> None:
    closed: list[str] = []

    def step(engine: Engine, batch: int) -> None:
        if error is not None:
            raise error

    engine = Engine(step)
    for name in "ab":
        at_the_end(engine, lambda engine, name=name: closed.append(name))
    if error is None:
        engine.run([0])
    else:
        with pytest.raises(error):
            engine.run([0])
    assert "".join(dict.fromkeys(closed)) == "ab"
