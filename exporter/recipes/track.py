"""The `track` of a recipe: who else keeps a run's figures. Nothing that is built depends on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator

from exporter.files.recipe_path import A_FOLDER
from exporter.recipes.values import Part

_SERVER = ("http", "https")


def is_server(store: str) -> bool:
    """Whether `store` is the address of a server, not a folder."""
    return "://" in store


def _store(value: Any) -> Any:
    """A folder or an address without a secret; no sentence repeats it, for it may hold one."""
    if not isinstance(value, str) or not is_server(value):
        return str(value) if isinstance(value, Path) else value
    try:
        parts = urlsplit(value)
        named, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is no address that can be read") from None
    if parts.scheme not in _SERVER or not named:
        raise ValueError("takes a folder, or the http(s) address of a server")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError(
            "an address in a recipe may hold no user, password or query: give them in MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        )
    return value


def _folder(value: Any) -> Any:
    if isinstance(value, str) and is_server(value):
        raise ValueError("takes a folder, no address")
    return value


class Track(Part):
    """`mlflow`: a folder, or the address of a tracking server; `tensorboard`: a folder for event files."""

    mlflow: Annotated[str, BeforeValidator(_store)] | None = None
    """Where MLflow keeps a run: a folder, or the address of a tracking server without user and password. Name it where
    your team compares runs there."""
    tensorboard: Annotated[Path, BeforeValidator(_folder), A_FOLDER] | None = None
    """Folder for TensorBoard's event files. Name it where you look at curves there."""
