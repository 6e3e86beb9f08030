"""Asks Qualcomm AI Hub one thing, in a process that has its client: `python ai_hub_worker.py FOLDER`.

That process has other packages than the exporter's, which is why this file imports nothing of it.

    job.json     job (a fresh id), ask: "devices" or "measure"; for the second devices ([{name, os}, …]), model and
                 inputs (file names in FOLDER), input (the tensor's name), options, limit_s, poll_s
    inputs.npz   0, 1, …: the raw input tensors
  --- answered ---
    outputs.npz  D_N: what device number D gave for input N
    answer.json  devices ([{name, os, attributes}, …]), or outcomes, one a device: job, state (the client's word, or
                 "NOT SUBMITTED"), said, late, profile; or of the whole: error ("not let in" or "failed") and said
    done.json    the job's id and the sha256 of the other two, renamed into place last

The client's configuration holds a token, and an address to load from is as good as one: no sentence repeats either.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

ANSWERS = ("outputs.npz", "answer.json")
NOT_LET_IN = ("load client configuration", "load configuration file", "authenticate", "provide client configuration")
FINISHED = ("SUCCESS", "FAILED")
LONGEST = 400  # characters of a sentence


def main(folder: Path) -> None:
    import numpy as np

    job = json.loads((folder / "job.json").read_text())
    tensors: dict[str, Any] = {}
    secrets: list[str] = []
    try:
        answer = _answer(job, folder, tensors, secrets)
    except Exception as error:  # whatever it is, the exporter is told
        said = _plain(error, secrets)
        answer = {"error": "not let in" if any(word in said for word in NOT_LET_IN) else "failed", "said": said}
    np.savez(str(folder / "outputs.npz"), **tensors)
    (folder / "answer.json").write_text(json.dumps(answer))
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ANSWERS}
    part = folder / "done.json.part"
    part.write_text(json.dumps({"job": job["job"], "sha256": digests}))
    part.replace(folder / "done.json")


def _answer(job: dict[str, Any], folder: Path, tensors: dict[str, Any], secrets: list[str]) -> dict[str, Any]:
    import qai_hub

    client = qai_hub.Client()
    secrets.append(client.config.api_token)
    client.set_verbose(False)
    if job["ask"] == "devices":
        listed = client.get_devices(attributes=["os:android", "framework:tflite"])
        return {"devices": [{"name": d.name, "os": d.os, "attributes": list(d.attributes)} for d in listed]}
    return {"outcomes": _measure(qai_hub, client, job, folder, tensors, secrets)}


def _measure(
    qai_hub: Any, client: Any, job: dict[str, Any], folder: Path, tensors: dict[str, Any], secrets: list[str]
) -> list[dict[str, Any]]:
    import numpy as np

    start_s = time.monotonic()
    with np.load(str(folder / job["inputs"]), allow_pickle=False) as given:
        inputs = {job["input"]: [given[str(number)] for number in range(len(given.files))]}
    model = client.upload_model(str(folder / job["model"]), name=job["name"])
    dataset = client.upload_dataset(inputs)
    outcomes: list[dict[str, Any]] = []
    under_way: dict[int, Any] = {}
    for number, device in enumerate(job["devices"]):
        outcome = {"job": "", "state": "NOT SUBMITTED", "said": "", "late": False, "profile": None}
        outcomes.append(outcome)
        try:
            target = qai_hub.Device(device["name"], device["os"])
            made = client.submit_inference_job(model, target, inputs=dataset, options=job["options"], profile=True)
            outcome.update(job=made.job_id, state="CREATED")
            under_way[number] = made
        except Exception as error:  # of this device; the others go on
            outcome["said"] = _plain(error, secrets)
    while under_way:
        for number, made in list(under_way.items()):
            if _look(made, outcomes[number], number, tensors, secrets):
                del under_way[number]
        if under_way and time.monotonic() - start_s >= job["limit_s"]:
            for number in under_way:
                outcomes[number]["late"] = True
            break
        if under_way:
            time.sleep(job["poll_s"])
    return outcomes


def _look(made: Any, outcome: dict[str, Any], number: int, tensors: dict[str, Any], secrets: list[str]) -> bool:
    """Whether the job has ended, with all that came of it."""
    try:
        status = made.get_status()
        outcome.update(state=status.code, said=_plain(status.message or "", secrets))
        if status.code not in FINISHED:
            return False
        if status.code == "SUCCESS":
            outcome["profile"] = made.download_profile() or None
            given = list((made.download_output_data() or {}).values())
            if len(given) == 1:
                tensors.update({f"{number}_{place}": tensor for place, tensor in enumerate(given[0])})
        return True
    except Exception as error:  # the client has tried for half a minute; the next look may fare better
        outcome["said"] = _plain(error, secrets)
        return False


def _plain(error: Any, secrets: list[str]) -> str:
    """One line, without frames, addresses' paths and tokens."""
    text = " ".join(re.sub(r"[─┌┐└┘|\s]+", " ", str(error)).split())
    text = re.sub(r"(https?://[^/\s?]+)[^\s]*", r"\1", text)
    for secret in secrets:
        text = text.replace(secret, "…") if secret else text
    name = "" if isinstance(error, str) or text else type(error).__name__
    return (text or name)[:LONGEST]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
