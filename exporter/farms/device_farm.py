"""AWS Device Farm: the demo app's BenchActivity on rented phones, in a custom test environment.

What is uploaded: the app, a zip with the model, the golden vectors and `device_farm_host.py`, and a test spec that
starts that. One job a phone comes back with the files that `device_farm_results.py` believes or not. Credentials are
boto3's own business (environment, ~/.aws, a role); no word of them, and no address that was signed with them, is kept.
"""

from __future__ import annotations

import math
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from exporter.android.protocol import Request
from exporter.errors import EngineError, MissingTool, RecipeError
from exporter.farms.base import FarmDevice, Order, Outcome, Patience
from exporter.farms.device_farm_package import request_of, write_package, write_spec
from exporter.farms.device_farm_results import read_customer_artifacts
from exporter.farms.transfer import Transfer
from exporter.not_measured import NotMeasured
from exporter.suggestions import did_you_mean

INSTALL = "pip install 'exporter[aws-device-farm]'"
REGION = "us-west-2"  # the only one that has it
LONGEST_JOB_MINUTES = 150
UPLOAD_S = 900.0
UNDER_WAY = {
    "PENDING": "it had not begun",
    "PENDING_CONCURRENCY": "it waited for another run of the account to end",
    "PENDING_DEVICE": "it waited for the device to become free",
    "PROCESSING": "it was being processed",
    "SCHEDULING": "it was being scheduled",
    "PREPARING": "the device was being prepared",
    "RUNNING": "it was still running",
    "STOPPING": "it was being stopped",
}
COMPLETED = "COMPLETED"
BELIEVED = "PASSED"
NOT_BELIEVED = {
    "PENDING": "it is complete and has no result",
    "WARNED": "it ended with a warning",
    "FAILED": "the test failed",
    "SKIPPED": "it was skipped",
    "ERRORED": "the farm had an error, the device may have been lost",
    "STOPPED": "it was stopped",
}
UPLOADING = ("INITIALIZED", "PROCESSING")
NOT_LET_IN = frozenset(
    {"AccessDenied", "AccessDeniedException", "ExpiredToken", "ExpiredTokenException", "IncompleteSignature"}
    | {"InvalidClientTokenId", "InvalidSignatureException", "MissingAuthenticationToken", "NotAuthorized"}
    | {"OptInRequired", "SignatureDoesNotMatch", "UnauthorizedOperation", "UnrecognizedClientException"}
)


class DeviceFarm:
    """`apk`: the demo app with LiteRT in it; `project`: its name or ARN, by default the only one of the account."""

    name: ClassVar[str] = "aws-device-farm"
    backends: ClassVar[tuple[str, ...]] = ("cpu", "gpu", "nnapi")

    def __init__(
        self,
        apk: Path | None = None,
        project: str | None = None,
        *,
        client: Any = None,
        transfer: Transfer | None = None,
        patience: Callable[[float], Patience] = Patience,
    ) -> None:
        self._apk, self._wanted_project = apk, project
        self._made_client, self._transfer, self._patience = client, transfer or Transfer("AWS Device Farm"), patience

    def missing(self) -> str | None:
        if find_spec("boto3") is None:
            return f"{self.name} needs boto3, which is not installed: {INSTALL}"
        import boto3
        from botocore.exceptions import BotoCoreError

        try:
            known = boto3.session.Session().get_credentials()
        except BotoCoreError as error:
            return f"{self.name}: {error}"
        if known is None:
            return f"{self.name} needs AWS credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        return None

    @property
    def _client(self) -> Any:
        if self._made_client is None:
            import boto3
            from botocore.config import Config

            config = Config(retries={"mode": "standard", "max_attempts": 6}, connect_timeout=10, read_timeout=60)
            self._made_client = boto3.session.Session().client("devicefarm", region_name=REGION, config=config)
        return self._made_client

    def devices(self) -> list[FarmDevice]:
        android = [{"attribute": "PLATFORM", "operator": "EQUALS", "values": ["ANDROID"]}]
        return [
            FarmDevice(one["arn"], one["name"], one["os"], usable=one.get("availability") in FREE)
            for one in self._all("list_devices", "devices", filters=android)
        ]

    def measure(self, devices: Sequence[FarmDevice], order: Order) -> dict[str, Outcome]:
        if self._apk is None:
            hint = "build it as android-demo/README.md says, with LiteRT"
            raise RecipeError(f"{self.name} runs the demo app: name its file with --apk", hint=hint)
        request = request_of(order, uuid.uuid4().hex)
        uploads: list[str] = []
        try:
            with tempfile.TemporaryDirectory(prefix="exporter-farm-") as scratch:
                run = self._start(Path(scratch), devices, order, request, uploads)
            return self._outcomes(run, order, request)
        finally:
            for arn in uploads:  # whatever happened: nothing of ours stays there but the run itself
                with suppress(EngineError, MissingTool):
                    self._ask("delete_upload", arn=arn)

    def _start(
        self,
        scratch: Path,
        devices: Sequence[FarmDevice],
        order: Order,
        request: Request,
        uploads: list[str],
    ) -> str:
        """The ARN of the run, once it is scheduled."""
        project, package, spec = self._project(), scratch / "package.zip", scratch / "spec.yml"
        write_package(package, order, request)
        write_spec(spec)
        files = (self._apk, "ANDROID_APP"), (package, "APPIUM_NODE_TEST_PACKAGE"), (spec, "APPIUM_NODE_TEST_SPEC")
        app, tests, how = (self._upload(project, Path(str(file)), kind, uploads) for file, kind in files)
        only = {"attribute": "ARN", "operator": "IN", "values": [device.id for device in devices]}
        minutes = min(LONGEST_JOB_MINUTES, max(5, math.ceil(order.limit_s / 60)))
        run = self._ask(
            "schedule_run",
            projectArn=project,
            appArn=app,
            name=f"exporter {order.model.name} {order.backend}",
            deviceSelectionConfiguration={"filters": [only], "maxDevices": len(devices)},
            test={"type": "APPIUM_NODE", "testPackageArn": tests, "testSpecArn": how},
            executionConfiguration={"jobTimeoutMinutes": minutes, "videoCapture": False},
        )["run"]
        return str(run["arn"])

    def _project(self) -> str:
        known = {one["name"]: one["arn"] for one in self._all("list_projects", "projects")}
        wanted = self._wanted_project
        if wanted is None and len(known) == 1:
            return str(next(iter(known.values())))
        if wanted is None:
            hint = "name one with --project" if known else "make one in the console of AWS Device Farm"
            raise RecipeError(f"this account has {len(known)} projects in AWS Device Farm", hint=hint)
        if wanted in known.values():
            return wanted
        if wanted not in known:
            raise RecipeError(f"AWS Device Farm has no project {wanted!r}{did_you_mean(wanted, known)}")
        return str(known[wanted])

    def _upload(self, project: str, file: Path, kind: str, uploads: list[str]) -> str:
        patience = self._patience(UPLOAD_S)
        made = self._ask("create_upload", projectArn=project, name=file.name, type=kind)["upload"]
        uploads.append(made["arn"])
        self._transfer.put(made["url"], file)
        while True:
            found = self._ask("get_upload", arn=made["arn"])["upload"]
            status = found.get("status")
            if status == "SUCCEEDED":
                return str(made["arn"])
            if status not in UPLOADING:
                said = found.get("message") or found.get("metadata") or "it does not say why"
                raise EngineError(f"AWS Device Farm refuses {file.name} ({status}): {str(said)[:300]}")
            if not patience.wait():
                raise EngineError(f"AWS Device Farm did not take {file.name} in {UPLOAD_S:g} s")

    def _outcomes(self, run: str, order: Order, request: Request) -> dict[str, Outcome]:
        """Waits for the run; one that is not done in time, or that nobody waits for any more, is stopped."""
        patience = self._patience(order.limit_s)
        try:
            while self._ask("get_run", arn=run)["run"].get("status") != COMPLETED:
                if not patience.wait():
                    self._ask("stop_run", arn=run)
                    break
        except BaseException:
            with suppress(EngineError, MissingTool):
                self._ask("stop_run", arn=run)
            raise
        jobs = self._all("list_jobs", "jobs", arn=run)
        return {job["device"]["arn"]: self._outcome(job, order, request) for job in jobs if "device" in job}

    def _outcome(self, job: dict[str, Any], order: Order, request: Request) -> Outcome:
        if why := why_not_believed(job, order.limit_s):
            return NotMeasured(why, failed=True, lost=job.get("result") == "ERRORED")
        try:
            found = [
                one["url"]
                for one in self._all("list_artifacts", "artifacts", arn=job["arn"], type="FILE")
                if one.get("type") == "CUSTOMER_ARTIFACT"
            ]
            if not found:
                return NotMeasured("the job passed and brought no file back", failed=True)
            run = read_customer_artifacts(self._transfer.get(found[0]), request, order.sha256)
        except EngineError as error:
            return NotMeasured.because(error)
        return replace(run, phone=replace(run.phone, serial=job["device"]["arn"]))

    def _all(self, operation: str, key: str, **words: Any) -> list[dict[str, Any]]:
        with _explained(operation):
            pages = self._client.get_paginator(operation).paginate(**words)
            return [one for page in pages for one in page.get(key, ())]

    def _ask(self, operation: str, **words: Any) -> dict[str, Any]:
        with _explained(operation):
            answer: dict[str, Any] = getattr(self._client, operation)(**words)
            return answer


FREE = ("AVAILABLE", "HIGHLY_AVAILABLE")


def why_not_believed(job: dict[str, Any], limit_s: float) -> str:
    """Why a job's files are not read: in what state or with what result it ended; empty for one that passed."""
    status, result = job.get("status"), job.get("result")
    said = f": {str(job['message'])[:300]}" if job.get("message") else ""
    if status != COMPLETED:
        state = UNDER_WAY.get(str(status), f"it was in the state {status!r}, which this exporter does not know")
        return f"no result after {limit_s:g} s: {state}{said}"
    if result == BELIEVED:
        return ""
    return NOT_BELIEVED.get(str(result), f"its result is {result!r}, which this exporter does not know") + said


@contextmanager
def _explained(operation: str) -> Iterator[None]:
    """boto3 has tried as often as it should. Raises MissingTool, EngineError; neither repeats what was signed."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise MissingTool(f"AWS Device Farm: {error}") from None
    except ClientError as error:
        code, said = error.response["Error"].get("Code", "?"), error.response["Error"].get("Message", "")
        if code in NOT_LET_IN:
            raise MissingTool(f"AWS Device Farm does not let this user in ({operation}: {code})") from None
        raise EngineError(f"AWS Device Farm, {operation}: {code}: {str(said)[:300]}") from None
    except BotoCoreError as error:
        raise EngineError(f"AWS Device Farm, {operation}: {type(error).__name__}: {str(error)[:200]}") from None
