"""Which passes a stage runs on an ONNX file, in order; shapes are inferred between groups."""

from __future__ import annotations

from exporter.passes.onnx.affine import fold_affine
from exporter.passes.onnx.pixel_shuffle import use_depth_first
from exporter.passes.onnx.pixel_unshuffle import use_strided_convolutions
from exporter.passes.onnx.reshapes import write_out_copied_sizes
from exporter.passes.onnx.same_padding import fold_padding
from exporter.passes.onnx.unit_length import take_lengths_by_means

# A padding's amounts are computed, as PyTorch writes them: shapes behind it are known once they are folded.
AFTER_EXPORT = ((fold_padding, fold_affine), (use_strided_convolutions, use_depth_first))
BEFORE_SIMPLIFICATION = (write_out_copied_sizes,)
AFTER_SIMPLIFICATION = (take_lengths_by_means,)
