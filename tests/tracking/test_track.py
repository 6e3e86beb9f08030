"""Figures in a real MLflow store and in real event files; trackers that are wrong, down or not installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from exporter.errors import MissingTool, PlanError
from exporter.recipes.track import Track
from exporter.tracking import mlflow_run, tensorboard_events
from exporter.tracking.figures import figures_of
from exporter.tracking.track import check_trackers, track_run
from tests.tracking.read_back import of_mlflow, of_tensorboard

DOCUMENT = {
    "name": "tiny",
    "verdict": "kept",
    "targets": [{"name": "int8", "parity": {"worst_psnr_db": 48.123456789012345, "each_db": [0.1, 1e-300, 55.0]}}],
    "empty": "",
    "long": "word " * 3000,
    "spaces": "  two lines\n and a \ttab ",
    "infinite": "-inf",
    "seed": 2**63 - 1,
    "pictures": [{"name": f"{i}.png", "psnr_db": i / 7} for i in range(120)],
}
CURVES = {"distill": [{"step": step, "pixel": 1 / step, "psnr_db": 30 + step / 3} for step in (10, 20, 30)]}
SECRET = "s3cr3t"


@pytest.mark.extra("mlflow")
@pytest.mark.parametrize("as_files", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_folder_of_mlflow_holds_every_field(tmp_path: Path, as_files: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.tracking import MlflowClient

    monkeypatch.chdir(tmp_path)
    store = tmp_path / "store"
    if as_files:  # runs of an older MLflow
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        MlflowClient(tracking_uri=store.as_uri()).create_experiment("former")
    track = Track(mlflow=str(store))
    assert check_trackers(track) == ()
    before = dict(os.environ)
    (tracked,) = track_run(track, "tiny", "1.0", DOCUMENT, CURVES)
    assert os.environ == before
    assert tracked.problem == "" and (store / "mlflow.db").exists() != as_files

    client = MlflowClient(tracking_uri=store.as_uri() if as_files else f"sqlite:///{store}/mlflow.db")
    run = client.get_run(tracked.run)
    assert (run.info.run_name, run.info.status) == ("tiny 1.0", "FINISHED")
    assert client.get_experiment(run.info.experiment_id).name == "tiny"
    found, sent = of_mlflow(client, tracked.run), figures_of(DOCUMENT, CURVES)
    pieces = [found.texts.pop(f"long.{i}") for i in range(3)]
    assert found.numbers == sent.numbers
    assert found.texts == {name: text for name, text in sent.texts.items() if name != "long"}
    assert "".join(pieces) == DOCUMENT["long"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]

    (second,) = track_run(track, "tiny", "1.1", DOCUMENT, {})
    assert second.run != tracked.run and client.get_run(second.run).info.experiment_id == run.info.experiment_id


@pytest.mark.slow
@pytest.mark.extra("tensorboard")
def test_event_files_hold_every_field(tmp_path: Path) -> None:
    track = Track(tensorboard=tmp_path / "events")
    assert check_trackers(track) == ()
    (tracked,) = track_run(track, "tiny", "1.0", DOCUMENT, CURVES)
    assert tracked.problem == ""
    found, sent = of_tensorboard(tmp_path / "events" / tracked.run), figures_of(DOCUMENT, CURVES)
    assert found.numbers == sent.numbers and found.texts == sent.texts
    (second,) = track_run(track, "tiny", "1.0", {"a": 1}, {})
    assert second.run != tracked.run and len(list((tmp_path / "events").iterdir())) == 2


def test_without_trackers_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert check_trackers(Track()) == () and track_run(Track(), "tiny", "1.0", DOCUMENT, CURVES) == ()
    assert not list(tmp_path.iterdir())


@pytest.fixture
def answering() -> Iterator[str]:
    """The address of a server that answers 200 at /200, and so on, with a page that holds a secret."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"<html>{SECRET}</html>".encode()
            self.send_response(int(self.path.split("/")[1]))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.extra("mlflow")
@pytest.mark.parametrize(
    ("code", "says"),
    [(200, "is no MLflow tracking server"), (404, "is no MLflow tracking server"), (401, "does not let this user in")],
)
def test_a_wrong_server_is_refused_before_the_work(answering: str, code: int, says: str) -> None:
    with pytest.raises(PlanError, match=says) as refused:
        check_trackers(Track(mlflow=f"{answering}/{code}"))
    assert SECRET not in str(refused.value)


@pytest.mark.extra("mlflow")
@pytest.mark.parametrize("path", ["500", "503", ""])
def test_a_server_that_is_down_is_a_warning_and_no_error(answering: str, path: str) -> None:
    track = Track(mlflow=f"{answering}/{path}" if path else "http://127.0.0.1:9")
    (warning,) = check_trackers(track)
    assert "does not answer" in warning
    (tracked,) = track_run(track, "tiny", "1.0", DOCUMENT, CURVES)
    assert tracked.run == "" and "warning: the figures were not tracked by MLflow, 127.0.0.1" in str(tracked)
    assert SECRET not in str(tracked) and "\n" not in str(tracked)


def test_what_is_not_installed_is_found_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (mlflow_run, tensorboard_events):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingTool, match=r"exporter\[mlflow\]"):
        check_trackers(Track(mlflow=str(tmp_path)))
    with pytest.raises(MissingTool, match=r"exporter\[tensorboard\]"):
        check_trackers(Track(tensorboard=tmp_path))


@pytest.mark.extra("mlflow")
@pytest.mark.extra("tensorboard")
def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for track in (Track(mlflow=str(tmp_path / "file")), Track(tensorboard=tmp_path / "file")):
        with pytest.raises(PlanError, match="is a file, not a folder"):
            check_trackers(track)


@pytest.mark.slow
@pytest.mark.extra("mlflow")
def test_a_store_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database, and it is long enough to be told from one" * 100)
    (tracked,) = track_run(Track(mlflow=str(tmp_path)), "tiny", "1.0", DOCUMENT, CURVES)
    assert "not a database" in tracked.problem and "\n" not in str(tracked)
