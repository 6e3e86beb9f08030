"""What a sweep makes of ends: good ones, bad ones, and workers that are killed. Real processes, real pool."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest

from exporter.errors import BusyFolder
from exporter.processes.interruption import Interrupted
from exporter.sweep.exports import Export
from exporter.sweep.run import Ended, Places, run_exports, split_finished
from exporter.sweep.workers import LocalWorkers
from tests.sweep.scripts import BUNDLE, KILLED, ONCE, export_called, places_in, scripted


class Heard:
    """Who told what."""

    def __init__(self) -> None:
        self.told: list[Ended] = []
        self.lost: list[tuple[str, str]] = []

    def sweep(self, exports: list[Export], places: Places, number: int = 1) -> dict[str, Ended]:
        tried = run_exports(
            exports, places, LocalWorkers(number), self.told.append, lambda one, why: self.lost.append((one.name, why))
        )
        assert self.told == tried
        return {each.export.name: each for each in tried}


def sweep_of(folder: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> tuple[dict[str, Ended], Heard]:
    scripted(monkeypatch, scripts)
    heard = Heard()
    return heard.sweep([export_called(name) for name in scripts], places_in(folder)), heard


def test_each_ends_with_its_own_code_and_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say = "print('before'); print('error: no such thing\\n  hint: look again\\nexit code 2: wrong'); sys.exit(2)"
    ends, heard = sweep_of(tmp_path, monkeypatch, good=BUNDLE, bad=say, open=BUNDLE + "sys.exit(3)", crash="os.abort()")
    assert {name: each.record.exit_code for name, each in ends.items()} == {"good": 0, "bad": 2, "open": 3, "crash": 5}
    assert ends["bad"].record.said == "no such thing\n  hint: look again"
    assert ends["bad"].record.bundle == ""
    assert ends["good"].record.bundle == str(tmp_path / "dist" / "good" / "b-1")
    assert "SIGABRT" in ends["crash"].record.said
    assert heard.lost == [], "a crash is the export's own"
    assert (tmp_path / "build" / "bad" / "output.txt").read_text().startswith("before\n")


def test_a_promise_that_was_missed_has_its_bundle_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missed = "bundle = bundle.with_name(bundle.name + '.missed')\n" + BUNDLE + "sys.exit(1)"
    ends, _ = sweep_of(tmp_path, monkeypatch, one=missed)
    assert (ends["one"].record.exit_code, Path(ends["one"].record.bundle).name) == (1, "b-1.missed")


def test_success_without_a_bundle_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends, _ = sweep_of(tmp_path, monkeypatch, one="pass")
    assert ends["one"].record.exit_code == 5
    assert "bundle is not in" in ends["one"].record.said


@pytest.mark.parametrize("how", [KILLED, "sys.exit(143)", "os.kill(os.getpid(), signal.SIGUSR2); time.sleep(9)"])
def test_a_lost_worker_is_tried_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    again = f"{ONCE}if first:\n    {how}\n" + BUNDLE
    ends, heard = sweep_of(tmp_path, monkeypatch, one=again)
    assert ends["one"].record.exit_code == 0
    assert len(ends["one"].record.losses) == 1, "and it is named all the same"
    assert [name for name, _ in heard.lost] == ["one"]


def test_what_is_lost_twice_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where an earlier bundle lies: it is not this run's."""
    ends, heard = sweep_of(tmp_path, monkeypatch, one=BUNDLE + KILLED, two=BUNDLE)
    record = ends["one"].record
    assert (record.exit_code, record.bundle) == (4, "")
    assert record.said.count("SIGKILL") == 2
    assert ends["two"].record.exit_code == 0
    assert len(heard.lost) == 1


def test_an_answer_to_an_earlier_attempt_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, {"one": BUNDLE})
    assert Heard().sweep([export_called("one")], places_in(tmp_path))["one"].record.exit_code == 0
    monkeypatch.setattr("exporter.sweep.workers.work", lambda task: None)  # a worker that vanishes without a word
    record = Heard().sweep([export_called("one")], places_in(tmp_path))["one"].record
    assert record.exit_code == 4
    assert "without an answer" in record.said


def test_what_is_finished_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends, _ = sweep_of(tmp_path, monkeypatch, kept=BUNDLE, failed="sys.exit(4)", open=BUNDLE + "sys.exit(3)")
    places, exports = places_in(tmp_path), [each.export for each in ends.values()]
    done, to_run = split_finished(exports, places)
    assert [each.export.name for each in done] == ["kept"]
    assert all(each.earlier for each in done)
    assert sorted(each.name for each in to_run) == ["failed", "open"]
    other = export_called("kept", inputs="others")
    assert split_finished([other], places)[1] == [other]
    (tmp_path / "dist" / "kept" / "b-1" / "SHA256SUMS").write_text("changed")
    assert split_finished([export_called("kept")], places)[0] == []


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"inputs": 3}'])
def test_a_damaged_record_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    ends, _ = sweep_of(tmp_path, monkeypatch, one=BUNDLE)
    (tmp_path / "build" / "one" / "record.json").write_text(text)
    assert split_finished([ends["one"].export], places_in(tmp_path))[0] == []


def test_an_interruption_kills_what_runs_and_cancels_what_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = f"pathlib.Path({str(tmp_path)!r}, str(os.getpid())).touch(); time.sleep(600)"
    scripted(monkeypatch, {"one": slow, "two": slow})
    heard = Heard()

    def interrupt() -> None:
        while not (running := [path.name for path in tmp_path.iterdir() if path.name.isdigit()]):
            time.sleep(0.01)
        heard.lost.append((running[0], ""))
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises((KeyboardInterrupt, Interrupted)):
        heard.sweep([export_called("one"), export_called("two")], places_in(tmp_path))
    thread.join()
    assert not Path("/proc", heard.lost[0][0]).exists()
    assert len([path for path in tmp_path.iterdir() if path.name.isdigit()]) == 1, "the other never began"
    assert not list(tmp_path.rglob("record.json"))


def test_two_sweeps_of_one_name_do_not_meet(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    with places.locked(), pytest.raises(BusyFolder, match="another sweep works in"), places.locked():
        pass
