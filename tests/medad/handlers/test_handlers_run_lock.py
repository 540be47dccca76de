# SPDX-License-Identifier: Apache-2.0
import errno
import os
import signal
import time
from pathlib import Path

import pytest
from ignite.engine import Engine, Events
from medad.errors import InputError
from medad.handlers.run_lock import RunLock


def run(folder: Path, step: object = None) -> None:
    engine = Engine(lambda engine, batch: step and step())
    RunLock(folder / ".run.lock", folder).attach(engine)
    engine.run([0])


def test_one_run_at_a_time(tmp_path: Path) -> None:
    def second() -> None:
        with pytest.raises(InputError, match=f"{tmp_path}/out: another run is writing there"):
            run(tmp_path / "out")

    run(tmp_path / "out", second)
    run(tmp_path / "out")


def test_it_holds_until_all_others_have_written(tmp_path: Path) -> None:
    engine = Engine(lambda engine, batch: None)
    lock, held = RunLock(tmp_path / ".run.lock", tmp_path), []
    lock.attach(engine)
    engine.add_event_handler(Events.COMPLETED, lambda: held.append(lock.lock.is_locked))
    engine.run([0])
    engine.run([0])
    assert held == [True, True] and not lock.lock.is_locked


def test_an_error_lets_it_go(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run(tmp_path, lambda: 1 / 0)
    run(tmp_path)


def test_a_killed_run_stops_no_later_one(tmp_path: Path) -> None:
    process = os.fork()
    if process == 0:
        run(tmp_path, lambda: time.sleep(60))
    while not (tmp_path / ".run.lock").exists():
        time.sleep(0.01)
    time.sleep(0.2)
    with pytest.raises(InputError, match="another run"):
        run(tmp_path)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    run(tmp_path)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"it cannot be written \(File exists\)"):
        run(tmp_path / "file")


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_no_obstacle(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_lock(*_: object) -> None:
        raise OSError(code, "no locks here")

    monkeypatch.setattr("fcntl.flock", no_lock)
    run(tmp_path)
    assert "has no locks" in caplog.text
