"""Figures as one run of MLflow: numbers as metrics, texts as parameters. The experiment has the recipe's name.

A folder becomes a database with SQLite, `mlflow server --backend-store-uri sqlite:///FOLDER/mlflow.db` shows it; one
that holds runs as files, as MLflow wrote them once, gets more of these. Of a server's address and answers no sentence
repeats more than the host: they may hold secrets.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from exporter.errors import MissingTool, PlanError
from exporter.failures import in_one_line
from exporter.recipes.track import is_server

if TYPE_CHECKING:
    from exporter.tracking.figures import Figures

DATABASE = "mlflow.db"
INSTALL = "pip install 'exporter[mlflow]'"
LONGEST_TEXT = 6000  # characters of a parameter
_METRICS, _PARAMS = 1000, 100  # of one call
# Nobody waits minutes for a server that is down, and nothing of this is anybody else's business.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
_ALWAYS = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


def place_of(store: str) -> str:
    """`store` as it may be written down."""
    if not is_server(store):
        return store
    parts = urlsplit(store)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def check_mlflow(store: str) -> str:
    """A warning for a server that does not answer now. Raises PlanError for a wrong one, MissingTool without MLflow."""
    for module in ("mlflow", "sqlalchemy", "alembic"):
        if find_spec(module) is None:
            raise MissingTool(f"track.mlflow needs {module}, which is not installed", hint=INSTALL)
    if not is_server(store):
        if Path(store).exists() and not Path(store).is_dir():
            raise PlanError(f"track.mlflow: {store} is a file, not a folder")
        return ""
    try:
        with _settings(MLFLOW_HTTP_REQUEST_MAX_RETRIES="0", MLFLOW_HTTP_REQUEST_TIMEOUT="5"):
            from mlflow.tracking import MlflowClient

            MlflowClient(tracking_uri=store).search_experiments(max_results=1)
    except Exception as error:
        code = _status_of(error)
        if code in (401, 403):
            hint = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            raise PlanError(f"track.mlflow: {place_of(store)} does not let this user in ({code})", hint=hint) from None
        if (code is not None and 400 <= code < 500) or "valid JSON" in str(error):
            raise PlanError(f"track.mlflow: what answers at {place_of(store)} is no MLflow tracking server") from None
        return f"MLflow at {place_of(store)} does not answer; the figures are tracked if it does at the end"
    return ""


def track_mlflow(store: str, name: str, version: str, figures: Figures) -> str:
    """The new run's id. Raises whatever goes wrong."""
    with _settings():
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=_uri(store))
        experiment = _experiment(client, name, store)
        run = client.create_run(experiment, run_name=f"{name} {version}".strip()).info.run_id
        try:
            _log(client, run, figures)
        except BaseException:
            with suppress(Exception):
                client.set_terminated(run, "FAILED")
            raise
        client.set_terminated(run, "FINISHED")
    return str(run)


def said_of_mlflow(error: Exception, store: str) -> str:
    """`error` without what the server said."""
    code = _status_of(error)
    if not is_server(store):
        return in_one_line(error)
    return f"it answers {code}" if code is not None and code != 500 else "it does not answer, or fails"


def _uri(store: str) -> str:
    if is_server(store):
        return store
    folder = Path(store).absolute()
    if any(folder.glob("*/meta.yaml")):  # runs as files
        return folder.as_uri()
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / DATABASE}"


def _experiment(client: Any, name: str, store: str) -> str:
    known = client.get_experiment_by_name(name)
    if known is not None and known.lifecycle_stage == "deleted":
        client.restore_experiment(known.experiment_id)
    if known is not None:
        return str(known.experiment_id)
    place = None if is_server(store) else (Path(store).absolute() / "artifacts").as_uri()
    return str(client.create_experiment(name, artifact_location=place))


def _log(client: Any, run: str, figures: Figures) -> None:
    from mlflow.entities import Metric, Param

    now_ms = int(time.time() * 1000)
    metrics = (Metric(name, value, now_ms, step) for name, series in figures.numbers.items() for step, value in series)
    params = (Param(*each) for name, text in figures.texts.items() for each in _pieces(name, text))
    while some := list(islice(metrics, _METRICS)):
        client.log_batch(run, metrics=some)
    while some := list(islice(params, _PARAMS)):
        client.log_batch(run, params=some)


def _pieces(name: str, text: str) -> Iterator[tuple[str, str]]:
    """A text that MLflow would cut goes on under the same name with a number."""
    if len(text) <= LONGEST_TEXT:
        yield name, text
    else:
        for i, start in enumerate(range(0, len(text), LONGEST_TEXT)):
            yield f"{name}.{i}", text[start : start + LONGEST_TEXT]


def _status_of(error: Exception) -> int | None:
    status = getattr(error, "get_http_status_code", None)
    return int(status()) if callable(status) else None


@contextmanager
def _settings(**patience: str) -> Iterator[None]:
    """MLflow reads the environment at each call; what the user has set there of its patience stays."""
    former = dict(os.environ)
    os.environ.update(_PATIENCE | patience | {key: former[key] for key in _PATIENCE if key in former} | _ALWAYS)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(former)
