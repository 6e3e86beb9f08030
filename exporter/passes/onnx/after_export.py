"""Which passes a file that PyTorch exported goes through, in order; shapes are inferred anew between groups."""

from __future__ import annotations

from exporter.passes.onnx.affine import fold_affine
from exporter.passes.onnx.corners import name_sizes_of_corners
from exporter.passes.onnx.fourier import write_out_fourier
from exporter.passes.onnx.frames import take_frames_apart
from exporter.passes.onnx.matrices import fold_factors
from exporter.passes.onnx.pixel_shuffle import use_depth_first
from exporter.passes.onnx.pixel_unshuffle import use_strided_convolutions
from exporter.passes.onnx.rounded_pools import count_what_is_there, round_by_borders
from exporter.passes.onnx.same_padding import fold_padding, name_pads

# A padding's amounts are computed, as PyTorch writes them: shapes behind it are known once they are folded.
AFTER_EXPORT = (
    (
        write_out_fourier,
        count_what_is_there,
        name_pads,
        fold_padding,
        fold_affine,
        fold_factors,
    ),
    (
        round_by_borders,
        take_frames_apart,
        use_strided_convolutions,
        use_depth_first,
        name_sizes_of_corners,
    ),
)
