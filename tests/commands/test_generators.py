"""The list of architectures and what was measured of each."""

import json
from argparse import Namespace

from exporter.commands import generators
from exporter.generators.table import GENERATORS

NAMES = [
    "deblurgan",
    "deblurgan_v2_inception",
    "deblurgan_v2_mobilenet",
    "srn",
    "restormer",
    "uformer",
    "swinir",
    "srcnn",
    "espcn",
    "srresnet",
    "edsr",
    "mobilesr",
    "nafnet",
    "mimo_unet",
    "attention_unet",
    "multiscale_enhancer",
    "srvgg",
    "dncnn",
    "maxim",
    "mobilenetv3_student",
]


def test_json_has_every_architecture_with_a_verdict_for_every_target(capsys):
    assert generators.run(Namespace(json=True)) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == NAMES == [info.name for info in GENERATORS]
    for row in rows:
        assert row["licence"]
        assert set(row["targets"]) >= {"onnx", "ort_int8", "tflite_fp32", "tflite_fp16", "tflite_int8"}, row["name"]
        for target, cell in row["targets"].items():
            assert cell["status"] in ("ok", "refused") and cell["reason"], (row["name"], target)


def test_the_table_names_what_stands_in_the_way(capsys):
    assert generators.run(Namespace(json=False)) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in NAMES)
    for name, targets in generators.read_verdicts().items():
        for target, cell in targets.items():
            if cell["status"] == "refused":
                assert f"{name} → {generators.TITLES[target]}: {cell['reason']}" in shown
