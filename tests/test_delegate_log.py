"""The lines in which engines say what a delegate took: LiteRT's GPU engine here, benchmark_model, a phone's logcat."""

from __future__ import annotations

import pytest

from exporter.delegate_log import DelegateLog, read_delegate_log

# As LiteRT 2.3.0 wrote it of a file with two RELU_0_TO_1, compiled for the GPU.
ENGINE = """I0000 00:00:1795828375.2 15578 delegate_webgpu.cc:759] # of threads to compile kernels = 0
ERROR: Following operations are not supported by GPU delegate:
RELU_0_TO_1: Not supported op RELU_0_TO_1
3 operations will run on the GPU, and the remaining 4 operations will run on the CPU.
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
"""
LOGCAT = """05-31 10:38:42.589 22206 22206 I tflite  : Created TensorFlow Lite delegate for GPU.
05-31 10:38:42.607 22206 22206 E tflite  : Following operations are not supported by GPU delegate:
05-31 10:38:42.607 22206 22206 E tflite  : UNPACK: Operation is not supported.
05-31 10:38:42.607 22206 22206 E tflite  : 294 operations will run on the GPU, and the remaining 3 operations will run on the CPU.
"""  # noqa: E501
BENCHMARK = "INFO: Explicitly applied GPU delegate, and the model graph will be {} by the delegate{}.\n"
REPLACED = (
    "VERBOSE: Replacing {} out of 93 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 1 partitions.\n"
)


@pytest.mark.parametrize(
    ("text", "whole", "verdict"),
    [
        (ENGINE, False, "3 of 7 operators, because RELU_0_TO_1 (Not supported op RELU_0_TO_1)"),
        (LOGCAT, False, "294 of 297 operators, because UNPACK (Operation is not supported.)"),
        (ENGINE.replace("3 operations", "No operations"), False, "0 of 4 operators, because RELU_0_TO_1 (Not"),
        (BENCHMARK.format("completely executed", ""), True, "whole"),
        (BENCHMARK.format("partially executed", " w/ 2 delegate kernels"), False, "part of it"),
        ("Though GPU delegate is explicitly applied, the model graph will not be executed by the delegate.", False, ""),
        (REPLACED.format(93), True, "whole"),
        (REPLACED.format(89), False, "89 of 93 operators"),
        (LOGCAT + BENCHMARK.format("partially executed", " w/ 1 delegate kernels"), False, "294 of 297 operators"),
        ("INFO: Created TensorFlow Lite XNNPACK delegate for CPU.", None, ""),
        ("", None, ""),
    ],
)
def test_what_a_log_says(text: str, whole: bool | None, verdict: str) -> None:
    log = read_delegate_log(text)
    assert log.whole is whole and log.verdict.startswith(verdict)


def test_a_log_that_says_nothing_is_no_verdict() -> None:
    assert read_delegate_log("") == DelegateLog() and DelegateLog().verdict == ""
