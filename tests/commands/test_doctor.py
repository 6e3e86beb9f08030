"""A machine without a GPU is not a broken one."""

import json

from exporter.cli import main


def test_absent_gpus_are_said_but_are_no_problem(capsys, monkeypatch):
    monkeypatch.setattr("exporter.runtimes.cuda.missing_gpu", lambda: "there is no NVIDIA driver here")
    main(["doctor", "--json"])
    rows = {row["check"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["runtime torch_cuda"] == {
        "check": "runtime torch_cuda",
        "found": "there is no NVIDIA driver here",
        "problem": "",
    }
    assert "PyTorch" in rows["runtime torch_cpu"]["found"]
