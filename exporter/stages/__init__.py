"""All stages, in the order a model usually meets them. Add yours here: one line."""

from exporter.stages.base import Stage, Untrained, Workspace
from exporter.stages.build_tensorrt import BuildTensorrt
from exporter.stages.compile_npu import CompileNpu
from exporter.stages.distill import Distill
from exporter.stages.load_generator import LoadGenerator
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.prune import Prune
from exporter.stages.quantize_aware_train import QuantizeAwareTrain
from exporter.stages.quantize_onnx import QuantizeOnnx
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.reestimate_norm import ReestimateNorm
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx

__all__ = ["STAGES", "LoadGenerator", "Stage", "Untrained", "Workspace"]

STAGES: tuple[type[Stage], ...] = (
    Prune,
    Distill,
    ReestimateNorm,
    TorchToOnnx,
    SimplifyOnnx,
    QuantizeOnnx,
    BuildTensorrt,
    OnnxToTflite,
    QuantizeAwareTrain,
    QuantizeTflite,
    CompileNpu,
)
