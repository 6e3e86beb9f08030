"""AWS Device Farm on replayed answers, checked against the service's own model by botocore's Stubber.

Nobody has run this against the service: the answers are written after its public documentation.
"""

from __future__ import annotations

import ast
import json
import zipfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.stub import ANY, Stubber

from exporter.android.protocol import Request
from exporter.android.runs import DeviceRun
from exporter.engines.litert_versions import write_abs
from exporter.errors import EngineError, MissingTool, RecipeError
from exporter.farms import device_farm
from exporter.farms.base import FarmDevice, Order, Patience
from exporter.farms.device_farm import DeviceFarm, why_not_believed
from exporter.farms.device_farm_package import HOST_PROGRAM
from exporter.not_measured import NotMeasured
from tests.farms.replay import ANSWERS, artifacts, order_of, result_of

HEAD = "arn:aws:devicefarm:us-west-2"
PIXEL, GALAXY = f"{HEAD}::device:PIXEL0000000000", f"{HEAD}::device:GALAXY000000000"
PROJECT, RUN = f"{HEAD}:1:project:p1000000000000000", f"{HEAD}:1:run:p1/r10000000000000000"
UPLOADS = [f"{HEAD}:1:upload:p1/u{n}00000000000000" for n in range(3)]
SIGNED = "https://prod-us-west-2-uploads.s3.amazonaws.com/x?X-Amz-Signature=SECRET"
DEVICES = [FarmDevice(PIXEL, "Google Pixel 8", "15"), FarmDevice(GALAXY, "Samsung Galaxy S23", "14")]


@cache
def unsigned_client() -> Any:
    """Of the service's own model, without credentials; one for all, it takes a while."""
    config = Config(signature_version=UNSIGNED, region_name="us-west-2")
    return boto3.session.Session().client("devicefarm", config=config)


class Shelf:
    """Takes what is uploaded, and gives for the customer artifacts what `give` makes of the job.json it was sent."""

    def __init__(self) -> None:
        self.sent: dict[str, Any] = {}
        self.give: Any = lambda request, sha256: artifacts(request, sha256)

    def put(self, url: str, file: Path) -> None:
        assert url == SIGNED
        self.sent[file.name] = file.read_bytes()
        if file.name == "package.zip":
            with zipfile.ZipFile(file) as package:
                self.names = sorted(package.namelist())
                self.job = json.loads(package.read("job.json"))

    def get(self, url: str) -> bytes:
        extras = iter(self.job["extras"])
        triples = zip(extras, extras, extras, strict=True)
        words = {key: int(word) if kind == "--ei" else word for kind, key, word in triples}
        return self.give(Request.model_validate(words), self.sha256)

    sha256 = ""


class Replay:
    """The service's answers in the order in which they are asked for."""

    def __init__(self, tmp_path: Path, *, limit_s: float = 60.0) -> None:
        self.client = unsigned_client()
        self.stub, self.shelf, self.clock = Stubber(self.client), Shelf(), 0.0
        self.apk = tmp_path / "demo.apk"
        self.apk.write_bytes(b"an app")
        self.order: Order = order_of(write_abs(tmp_path / "abs.tflite", 1), limit_s=limit_s)
        self.shelf.sha256 = self.order.sha256
        patience = lambda limit: Patience(limit, 20, lambda: self.clock, self._sleep)  # noqa: E731
        self.farm = DeviceFarm(self.apk, client=self.client, transfer=self.shelf, patience=patience)  # type: ignore[arg-type]

    def _sleep(self, seconds: float) -> None:
        self.clock += seconds

    def answer(self, operation: str, answer: dict[str, Any], **expected: Any) -> None:
        self.stub.add_response(operation, answer, expected)

    def begin(self) -> None:
        self.answer("list_projects", {"projects": [{"name": "phones", "arn": PROJECT}]})
        kinds = ("ANDROID_APP", "APPIUM_NODE_TEST_PACKAGE", "APPIUM_NODE_TEST_SPEC")
        for arn, kind, file in zip(UPLOADS, kinds, ("demo.apk", "package.zip", "spec.yml"), strict=True):
            made = {"arn": arn, "url": SIGNED, "status": "INITIALIZED"}
            self.answer("create_upload", {"upload": made}, projectArn=PROJECT, name=file, type=kind)
            self.answer("get_upload", {"upload": made | {"status": "PROCESSING"}}, arn=arn)
            self.answer("get_upload", {"upload": made | {"status": "SUCCEEDED"}}, arn=arn)
        self.answer(
            "schedule_run",
            {"run": {"arn": RUN, "status": "SCHEDULING"}},
            projectArn=PROJECT,
            appArn=UPLOADS[0],
            name="exporter abs.tflite gpu",
            deviceSelectionConfiguration={
                "filters": [{"attribute": "ARN", "operator": "IN", "values": [PIXEL, GALAXY]}],
                "maxDevices": 2,
            },
            test={"type": "APPIUM_NODE", "testPackageArn": UPLOADS[1], "testSpecArn": UPLOADS[2]},
            executionConfiguration={"jobTimeoutMinutes": 5, "videoCapture": False},
        )

    def run_is(self, *states: str) -> None:
        for state in states:
            self.answer("get_run", {"run": {"arn": RUN, "status": state}}, arn=RUN)

    def jobs(self, *jobs: dict[str, Any]) -> None:
        self.answer("list_jobs", {"jobs": list(jobs)}, arn=RUN)

    def files(self, job: dict[str, Any], *kinds: str) -> None:
        listed = [{"arn": "a" * 40, "name": kind, "type": kind, "extension": "zip", "url": SIGNED} for kind in kinds]
        self.answer("list_artifacts", {"artifacts": listed}, arn=job["arn"], type="FILE")

    def end(self) -> None:
        for arn in UPLOADS:
            self.answer("delete_upload", {}, arn=arn)

    def measure(self) -> dict[str, Any]:
        with self.stub:
            found = self.farm.measure(DEVICES, self.order)
        self.stub.assert_no_pending_responses()
        return found


def job(device: str, status: str = "COMPLETED", result: str = "PASSED", **more: Any) -> dict[str, Any]:
    name = device.rpartition(":")[2]
    return {
        "arn": f"{HEAD}:1:job:p1/r1/{name}",
        "status": status,
        "result": result,
        "created": datetime(2026, 1, 1, tzinfo=UTC),
        "device": {"arn": device, "name": name, "os": "15"},
        **more,
    }


@pytest.fixture
def replay(tmp_path: Path) -> Replay:
    return Replay(tmp_path)


def test_devices_are_androids_and_those_that_are_taken_are_known(replay: Replay) -> None:
    android = [{"attribute": "PLATFORM", "operator": "EQUALS", "values": ["ANDROID"]}]
    first = {"arn": PIXEL, "name": "Google Pixel 8", "os": "15", "availability": "HIGHLY_AVAILABLE"}
    second = {"arn": GALAXY, "name": "Samsung Galaxy S23", "os": "14", "availability": "BUSY"}
    replay.answer("list_devices", {"devices": [first], "nextToken": "more"}, filters=android)
    replay.answer("list_devices", {"devices": [second]}, filters=android, nextToken="more")
    with replay.stub:
        assert [(one.name, one.usable) for one in replay.farm.devices()] == [
            ("Google Pixel 8", True),
            ("Samsung Galaxy S23", False),
        ]


def test_a_run_on_two_phones_from_the_upload_to_the_figures(replay: Replay) -> None:
    replay.begin()
    replay.run_is("SCHEDULING", "PENDING_DEVICE", "RUNNING", "COMPLETED")
    jobs = job(PIXEL), job(GALAXY)
    replay.jobs(*jobs)
    for one in jobs:
        replay.files(one, "TESTSPEC_OUTPUT", "CUSTOMER_ARTIFACT")
    replay.end()
    found = replay.measure()
    assert set(found) == {PIXEL, GALAXY}
    run = found[PIXEL]
    assert isinstance(run, DeviceRun) and run.phone.serial == PIXEL and run.phone.soc == "Tensor G3"
    assert run.result.samples_ms == (4.0, 4.1, 4.2) and run.before.battery_celsius == 30.0 and run.before.charging
    assert run.before.cpu_governors == ("sched_pixel",) and run.before.fixed_performance and run.how == "app"
    assert replay.shelf.names == [
        *("0.input.npy", "0.output.npy", "1.input.npy", "1.output.npy"),
        *("device_farm_host.py", "job.json", "model.tflite"),
    ]
    assert b"device_farm_host.py job.json" in replay.shelf.sent["spec.yml"]


BAD_ENDS = {
    "WARNED": "it ended with a warning",
    "FAILED": "the test failed",
    "SKIPPED": "it was skipped",
    "ERRORED": "the farm had an error",
    "STOPPED": "it was stopped",
    "PENDING": "it is complete and has no result",
    "A_NEW_WORD": "its result is 'A_NEW_WORD', which this exporter does not know",
}


@pytest.mark.parametrize(("result", "reason"), BAD_ENDS.items())
def test_only_what_passed_is_believed(result: str, reason: str) -> None:
    assert why_not_believed({"status": "COMPLETED", "result": "PASSED"}, 60) == ""
    assert reason in why_not_believed({"status": "COMPLETED", "result": result}, 60)
    assert why_not_believed({"status": "COMPLETED"}, 60)


@pytest.mark.parametrize("state", [*device_farm.UNDER_WAY, "A_NEW_WORD", None])
def test_a_job_that_has_not_ended_is_not_believed_whatever_its_result(state: str | None) -> None:
    why = why_not_believed({"status": state, "result": "PASSED", "message": "Device offline"}, 60)
    assert why.startswith("no result after 60 s: ") and why.endswith(": Device offline")
    assert ("does not know" in why) == (state not in device_farm.UNDER_WAY)


def test_every_word_of_the_services_own_model_is_mapped() -> None:
    shapes = unsigned_client().meta.service_model
    assert {device_farm.COMPLETED, *device_farm.UNDER_WAY} == set(shapes.shape_for("ExecutionStatus").enum)
    assert {device_farm.BELIEVED, *device_farm.NOT_BELIEVED} == set(shapes.shape_for("ExecutionResult").enum)
    assert {*device_farm.UPLOADING, "SUCCEEDED", "FAILED"} == set(shapes.shape_for("UploadStatus").enum)
    assert set(device_farm.FREE) <= set(shapes.shape_for("DeviceAvailability").enum)


def test_one_phone_is_lost_and_the_other_is_measured(replay: Replay) -> None:
    replay.begin()
    replay.run_is("COMPLETED")
    replay.jobs(job(PIXEL), job(GALAXY, result="ERRORED", message="Device was disconnected"))
    replay.files(job(PIXEL), "CUSTOMER_ARTIFACT")
    replay.end()
    found = replay.measure()
    assert isinstance(found[PIXEL], DeviceRun)
    lost = found[GALAXY]
    assert isinstance(lost, NotMeasured) and lost.lost and lost.reason.endswith(": Device was disconnected")


def test_a_run_that_is_not_done_in_time_is_stopped_and_what_is_there_is_read(replay: Replay) -> None:
    replay.begin()
    replay.run_is(*["PENDING_DEVICE"] * 4)  # 20 s between two of them; what the uploads took is not the run's
    replay.answer("stop_run", {"run": {"arn": RUN, "status": "STOPPING"}}, arn=RUN)
    replay.jobs(job(PIXEL), job(GALAXY, status="PENDING_DEVICE", result="PENDING"))
    replay.files(job(PIXEL), "CUSTOMER_ARTIFACT")
    replay.end()
    found = replay.measure()
    assert isinstance(found[PIXEL], DeviceRun)
    assert found[GALAXY].reason == "no result after 60 s: it waited for the device to become free"


@pytest.mark.parametrize(
    ("give", "reason"),
    [
        (lambda request, sha: b"no zip", "came back damaged"),
        (lambda request, sha: artifacts(request, sha)[:-200], "came back damaged"),
        (lambda request, sha: artifacts(request, sha, without="done.json"), "brought no done.json back"),
        (lambda request, sha: artifacts(request, sha, without="result.json"), "brought no result.json back"),
        (lambda request, sha: artifacts(request, sha, done={"run": "0" * 32}), "of another run"),
        (lambda request, sha: artifacts(request, "0" * 64), "ran another model"),
        (lambda request, sha: artifacts(request, sha, result=result_of(request, sha, error="no engine")), "no engine"),
        (lambda request, sha: artifacts(request, sha, result=result_of(request, sha, samples_ms=[1.0])), "1 timings"),
        (lambda request, sha: artifacts(request, sha, conditions={"before": 1}), "under which conditions"),
        (lambda request, sha: artifacts(request, sha, conditions=restarted()), "restarted during the run"),
        (lambda request, sha: artifacts(request, sha, conditions=hot()), "stayed hot (throttling severe)"),
    ],
)
def test_files_that_are_not_whole_are_no_measurement(give: Any, reason: str, replay: Replay) -> None:
    replay.shelf.give = give
    replay.begin()
    replay.run_is("COMPLETED")
    replay.jobs(job(PIXEL))
    replay.files(job(PIXEL), "CUSTOMER_ARTIFACT")
    replay.end()
    found = replay.measure()[PIXEL]
    assert isinstance(found, NotMeasured) and reason in found.reason


def restarted() -> dict[str, Any]:
    return {when: {"answers": ANSWERS, "boot_id": when} for when in ("before", "after")}


def hot() -> dict[str, Any]:
    answers = ANSWERS | {"thermal": "Thermal Status: 3"}
    return {when: {"answers": answers, "boot_id": "b"} for when in ("before", "after")}


def test_a_job_that_passed_without_files_is_no_measurement(replay: Replay) -> None:
    replay.begin()
    replay.run_is("COMPLETED")
    replay.jobs(job(PIXEL))
    replay.files(job(PIXEL), "TESTSPEC_OUTPUT")
    replay.end()
    assert replay.measure()[PIXEL].reason == "the job passed and brought no file back"


def test_the_hosts_program_is_understood_by_an_old_python() -> None:
    ast.parse(HOST_PROGRAM.read_text(), feature_version=(3, 7))
    with pytest.raises(SyntaxError):
        ast.parse("(x := 1)", feature_version=(3, 7))


def test_a_run_that_nobody_waits_for_any_more_is_stopped_and_nothing_is_left_there(replay: Replay) -> None:
    replay.begin()
    replay.run_is("RUNNING")
    replay.answer("stop_run", {"run": {"arn": RUN, "status": "STOPPING"}}, arn=RUN)
    replay.end()

    def interrupted(limit_s: float) -> Patience:
        return Patience(limit_s, 20, sleep=lambda seconds: _interrupt() if limit_s == 60 else None)

    replay.farm = DeviceFarm(replay.apk, client=replay.client, transfer=replay.shelf, patience=interrupted)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        replay.measure()
    replay.stub.assert_no_pending_responses()


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_an_upload_that_is_refused_is_said_and_taken_back(replay: Replay) -> None:
    made = {"arn": UPLOADS[0], "url": SIGNED, "status": "INITIALIZED"}
    replay.answer("list_projects", {"projects": [{"name": "phones", "arn": PROJECT}]})
    replay.answer("create_upload", {"upload": made}, projectArn=PROJECT, name=ANY, type=ANY)
    failed = made | {"status": "FAILED", "message": "ANDROID_APP_UNZIP_FAILED"}
    replay.answer("get_upload", {"upload": failed}, arn=UPLOADS[0])
    replay.answer("delete_upload", {}, arn=UPLOADS[0])
    with pytest.raises(EngineError, match=r"refuses demo\.apk \(FAILED\): ANDROID_APP_UNZIP_FAILED"):
        replay.measure()


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException", "AccessDeniedException"])
def test_whom_it_does_not_let_in(code: str, replay: Replay) -> None:
    said = "User: arn:aws:iam::123456789012:user/jane is not authorized"
    replay.stub.add_client_error("list_devices", code, said, 400)
    with replay.stub, pytest.raises(MissingTool, match=rf"does not let this user in \(list_devices: {code}\)") as error:
        replay.farm.devices()
    assert "jane" not in str(error.value)


def test_another_fault_of_the_service_is_an_engines(replay: Replay) -> None:
    replay.stub.add_client_error("list_devices", "ServiceAccountException", "try later", 400)
    with replay.stub, pytest.raises(EngineError, match="list_devices: ServiceAccountException: try later"):
        replay.farm.devices()


def test_a_project_is_named_where_there_are_several(replay: Replay) -> None:
    several = {"projects": [{"name": "phones", "arn": PROJECT}, {"name": "tablets", "arn": PROJECT[:-1] + "2"}]}
    replay.answer("list_projects", several)
    with pytest.raises(RecipeError, match="2 projects"):
        replay.measure()
    replay.farm = DeviceFarm(replay.apk, "phnes", client=replay.client, transfer=replay.shelf)  # type: ignore[arg-type]
    replay.answer("list_projects", several)
    with pytest.raises(RecipeError, match="no project 'phnes'; did you mean 'phones'"):
        replay.measure()


def test_without_credentials_or_package_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert "needs AWS credentials" in str(DeviceFarm().missing())
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "nobody" in str(DeviceFarm().missing())
    monkeypatch.setattr(device_farm, "find_spec", lambda name: None)
    assert "pip install 'exporter[aws-device-farm]'" in str(DeviceFarm().missing())
