"""GitHub and GitLab: comments of a request, published releases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlencode

from forge_api import Api, ForgeFailed


class Unset(Exception):
    """The environment does not say which forge."""


class Forge(Protocol):
    def me(self) -> str:
        """Who comments: a stranger's comment is never taken for ours."""

    def comments(self) -> Iterator[tuple[str, str, str]]:
        """Address, author and text of each."""

    def create(self, text: str) -> None: ...

    def update(self, comment: str, text: str) -> None: ...

    def last_release(self, file: str, name: str) -> str | None:
        """The address of the newest published `file`."""

    def publish(self, file: Path, name: str, version: str) -> None: ...

    api: Api


class GitHub:
    def __init__(self, environment: Mapping[str, str]) -> None:
        token = environment.get("EXPORTER_TOKEN")
        headers = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": "exporter",
        }
        self.api = Api(
            _asked(environment, "EXPORTER_API"), headers | ({"Authorization": f"Bearer {token}"} if token else {})
        )
        self._environment = environment
        self._repository = f"/repos/{_asked(environment, 'EXPORTER_REPOSITORY')}"

    def me(self) -> str:
        try:
            return str(self.api.call("GET", "/user")["login"])
        except ForgeFailed as error:
            if error.code not in (401, 403, 404):
                raise
            return "github-actions[bot]"  # the token of a workflow may not ask who it is

    def comments(self) -> Iterator[tuple[str, str, str]]:
        for entry in self.api.pages(f"{self._request()}/comments"):
            author = (entry.get("user") or {}).get("login")
            yield f"{self._repository}/issues/comments/{entry['id']}", str(author), str(entry.get("body"))

    def create(self, text: str) -> None:
        self.api.call("POST", f"{self._request()}/comments", {"body": text})

    def update(self, comment: str, text: str) -> None:
        self.api.call("PATCH", comment, {"body": text})

    def last_release(self, file: str, name: str) -> str | None:
        for release in self.api.pages(f"{self._repository}/releases"):  # the newest first
            if release.get("draft") or release.get("prerelease"):
                continue
            for asset in release.get("assets") or ():
                if asset.get("name") == file:
                    return f"{self._repository}/releases/assets/{asset['id']}"
        return None

    def publish(self, file: Path, name: str, version: str) -> None:
        tag = _asked(self._environment, "EXPORTER_TAG")
        release = next(
            (each for each in self.api.pages(f"{self._repository}/releases") if each.get("tag_name") == tag), None
        )
        if release is None:
            new = {"tag_name": tag, "name": f"{name} {version}", "generate_release_notes": True}
            release = self.api.call("POST", f"{self._repository}/releases", new)
        address = str(release["upload_url"]).partition("{")[0]
        self.api.upload("POST", f"{address}?{urlencode({'name': file.name})}", file)

    def _request(self) -> str:
        return f"{self._repository}/issues/{_request_number(self._environment)}"


class GitLab:
    def __init__(self, environment: Mapping[str, str]) -> None:
        token, job = environment.get("EXPORTER_TOKEN"), environment.get("CI_JOB_TOKEN")
        headers = {"PRIVATE-TOKEN": token} if token else {"JOB-TOKEN": job} if job else {}
        self.api = Api(_asked(environment, "EXPORTER_API"), headers | {"User-Agent": "exporter"})
        self._environment = environment
        self._project = f"/projects/{quote(_asked(environment, 'EXPORTER_REPOSITORY'), safe='')}"

    def me(self) -> str:
        if not self._environment.get("EXPORTER_TOKEN"):
            raise ForgeFailed("a pipeline's own token may not comment: EXPORTER_TOKEN is to be one of scope api")
        return str(self.api.call("GET", "/user")["username"])

    def comments(self) -> Iterator[tuple[str, str, str]]:
        for entry in self.api.pages(self._notes(), sort="asc"):
            author = (entry.get("author") or {}).get("username")
            yield f"{self._notes()}/{entry['id']}", str(author), str(entry.get("body"))

    def create(self, text: str) -> None:
        self.api.call("POST", self._notes(), {"body": text})

    def update(self, comment: str, text: str) -> None:
        self.api.call("PUT", comment, {"body": text})

    def last_release(self, file: str, name: str) -> str | None:
        query = {"package_type": "generic", "package_name": name, "order_by": "created_at", "sort": "desc"}
        for package in self.api.pages(f"{self._project}/packages", **query):
            if package.get("name") == name:  # the forge finds names that hold it, too
                return self._package(name, str(package["version"]), file)
        return None

    def publish(self, file: Path, name: str, version: str) -> None:
        self.api.upload("PUT", self._package(name, version, file.name), file)

    def _package(self, *parts: str) -> str:
        return "/".join((f"{self._project}/packages/generic", *(quote(part, safe="") for part in parts)))

    def _notes(self) -> str:
        return f"{self._project}/merge_requests/{_request_number(self._environment)}/notes"


FORGES: dict[str, type[GitHub] | type[GitLab]] = {"github": GitHub, "gitlab": GitLab}


def open_forge(environment: Mapping[str, str]) -> Forge:
    """The forge that EXPORTER_FORGE names. Raises Unset."""
    kind = _asked(environment, "EXPORTER_FORGE")
    if kind not in FORGES:
        raise Unset(f"EXPORTER_FORGE is {kind!r}, none of {', '.join(FORGES)}")
    return FORGES[kind](environment)


def _asked(environment: Mapping[str, str], name: str) -> str:
    if not (value := environment.get(name)):
        raise Unset(f"{name} is not set")
    return value


def _request_number(environment: Mapping[str, str]) -> int:
    if not (text := _asked(environment, "EXPORTER_REQUEST")).isdecimal():
        raise Unset("EXPORTER_REQUEST is no number")
    return int(text)
