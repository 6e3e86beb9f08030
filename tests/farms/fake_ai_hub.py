"""What Qualcomm AI Hub's client asks for over HTTP, answered as a script says: `python fake_ai_hub.py SCRIPT.json`.

Needs the client's own messages, so it runs where the client is. SCRIPT.json: token, and for each device by its name
`states` (numbers, one for each time that is asked, the last for ever), `said`, `times_us`, `layers` ([[name, kind,
unit], …]), `outputs` ("as given", "none"). What is computed is nothing: the outputs are the inputs. Prints its port;
every request goes into SCRIPT.json.log. Written after qai-hub 0.56.0, no word of it is recorded from the service.
"""

from __future__ import annotations

import io
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import h5py
from google.protobuf.timestamp_pb2 import Timestamp
from qai_hub import public_api_pb2 as pb

SCRIPT = Path(sys.argv[1])
script = json.loads(SCRIPT.read_text())
files: dict[str, bytes] = {}
jobs: list[pb.InferenceJob] = []
asked: dict[int, int] = {}


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers["Content-Length"])))

    do_PUT = do_PATCH = do_POST  # noqa: N815

    def _serve(self, body: bytes) -> None:
        address = urlsplit(self.path)
        with SCRIPT.with_suffix(".json.log").open("a") as log:
            log.write(f"{self.command} {address.path}\n")
        if address.path.startswith("/file/"):
            return self._file(address.path, body)
        if self.headers["Authorization"] != f"token {script['token']}":
            return self._send(401, b"{}", "application/json")
        answer = self._answer(address.path.removeprefix("/api/v1").strip("/").split("/"), parse_qs(address.query), body)
        if isinstance(answer, int):
            return self._send(answer, json.dumps({"detail": "no room for jobs"}).encode(), "application/json")
        return self._send(200, answer.SerializeToString(), "application/x-protobuf")

    def _answer(self, parts: list[str], query: dict[str, list[str]], body: bytes) -> object:
        base = f"http://127.0.0.1:{self.server.server_address[1]}/file"
        match self.command, parts:
            case "GET", ["devices"]:
                wanted = query.get("name")
                return pb.DeviceList(devices=[device(name) for name in script["devices"] if wanted in (None, [name])])
            case "POST", ["models"]:
                return pb.CreateUpdateResponse(id="m1")
            case "GET", ["models", "m1", "multipart_upload"]:
                part = pb.FileMultipartUploadURL(urls=[f"{base}/model"], upload_id="u1", max_part_size=1 << 30)
                return pb.FileUploadResponse(multipart_url=part)
            case "POST", ["models", "m1", "multipart_upload"]:
                return pb.CreateUpdateResponse(id="m1")
            case "POST", ["datasets"]:
                month = Timestamp(seconds=int(time.time()) + 30 * 86400)
                return pb.CreateUpdateResponse(id="d1", expiration_time=month)
            case "GET", ["datasets", "d1", "upload_url"]:
                return pb.FileUploadResponse(url=pb.FileUploadURL(url=f"{base}/inputs", file_field_name="file"))
            case "PATCH", ["datasets", "d1"]:
                return pb.CreateUpdateResponse(id="d1")
            case "GET", ["datasets", "d2"]:
                return pb.Dataset(dataset_id="d2", name="outputs", permanent=True)
            case "GET", ["datasets", "d2", "download_data"]:
                return pb.FileDownloadResponse(url=pb.FileDownloadURL(url=f"{base}/outputs", filename="outputs.h5"))
            case "POST", ["jobs"]:
                job = pb.Job.FromString(body).inference_job
                if script["devices"][job.device.name].get("refuse"):
                    return 400
                jobs.append(job)
                return pb.CreateUpdateResponse(id=f"j{len(jobs) - 1}")
            case "GET", ["jobs", name]:
                return state_of(int(name[1:]))
            case "GET", ["jobs", name, "result"]:
                return result_of(int(name[1:]))
        return 404

    def _file(self, path: str, body: bytes) -> None:
        name = path.rpartition("/")[2]
        if body:
            start = body.find(b"\x89HDF") if name == "inputs" else 0  # in a form
            files[name] = body[start : body.rfind(b"\r\n--")] if name == "inputs" else body
        self._send(200, outputs() if name == "outputs" else b"", "application/octet-stream", ETag='"part"')

    def _send(self, code: int, content: bytes, kind: str, **headers: str) -> None:
        self.send_response(code)
        for key, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Silent."""


def device(name: str) -> pb.Device:
    attributes = ["os:android", "framework:tflite", "chipset:qualcomm-snapdragon-8gen2"]
    return pb.Device(name=name, os="14", attributes=attributes)


def state_of(number: int) -> pb.Job:
    job, plan = jobs[number], script["devices"][jobs[number].device.name]
    states = plan["states"]
    asked[number] = asked.get(number, -1) + 1
    job.inference_job_id = f"j{number}"
    job.job_state = states[min(asked[number], len(states) - 1)]
    if plan.get("said"):
        job.failure_reason = plan["said"]
    return pb.Job(inference_job=job)


def result_of(number: int) -> pb.JobResult:
    plan = script["devices"][jobs[number].device.name]
    layers = [
        pb.LayerDetail(name=name, layer_type_name=kind, compute_unit=f"COMPUTE_UNIT_{unit}")
        for name, kind, unit in plan["layers"]
    ]
    times = plan["times_us"]
    detail = pb.ProfileDetail(
        major_version=1,
        minor_version=2,
        execution_time=min(times, default=0),
        all_execution_times=times,
        cold_load_time=90_000,
        after_execution_peak_memory=64 << 20,
        layer_details=layers,
    )
    output = "" if plan["outputs"] == "none" else "d2"
    return pb.JobResult(inference_job_result=pb.InferenceJobResult(output_dataset_id=output, detail=detail))


def outputs() -> bytes:
    """The inputs under the output's name."""
    buffer = io.BytesIO(files["inputs"])
    with h5py.File(buffer, "r+") as given:
        given["data/0"].attrs["name"] = "output"
    return buffer.getvalue()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
