"""Which operators, number formats and stored operands each vendor's LiteRT plugin takes.

Facts read in the plugins' sources, google-ai-edge/LiteRT at f677577 (August 2026), litert/vendors/:
qualcomm/compiler/qnn_compose_graph.cc and core/builders/*.cc, mediatek/compiler/compiler_plugin.cc and
legalizations/neuron_utils.cc, google_tensor/compiler/compiler_plugin.cc (which lists what it does not take),
intel_openvino/compiler/openvino_compiler_plugin.cc and utils.h. A plugin asks its vendor's compiler in the end, which
may refuse more, chip by chip; only `compile_npu` finds that out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.npu.vendors import VendorName


@dataclass(frozen=True, slots=True)
class Takes:
    """`kinds` are those it takes or, with `others`, those alone that it does not; `dtypes` of tensors that are computed
    or stored. `stored`: operands, by place, that must be in the file. `input_rank`: the largest of what goes in."""

    kinds: frozenset[str]
    dtypes: frozenset[str]
    others: bool = False
    stored: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    input_rank: int | None = None

    def knows(self, kind: str) -> bool:
        return (kind in self.kinds) != self.others


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_COMMON = """
    ABS ADD AVERAGE_POOL_2D BATCH_MATMUL CAST CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEQUANTIZE DIV FULLY_CONNECTED
    GELU GREATER HARD_SWISH L2_NORMALIZATION LEAKY_RELU LESS LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL PAD PADV2
    PRELU QUANTIZE REDUCE_MAX RELU RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SLICE SOFTMAX SPLIT SQRT
    SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV
    """
_QUALCOMM_AND_INTEL = f"""
    {_COMMON} ARG_MAX BROADCAST_TO CONV_3D COS CUMSUM DEPTH_TO_SPACE EMBEDDING_LOOKUP EQUAL EXP FLOOR_DIV FLOOR_MOD
    GATHER GATHER_ND GREATER_EQUAL LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR MIRROR_PAD NOT_EQUAL ONE_HOT PACK
    POW REDUCE_ALL RELU_0_TO_1 REVERSE_V2 SELECT SELECT_V2 SIGN SIN SQUARE TILE TOPK_V2 UNPACK
    """
_QUALCOMM = f"""
    {_QUALCOMM_AND_INTEL} ARG_MIN BATCH_TO_SPACE_ND CEIL DYNAMIC_UPDATE_SLICE ELU FLOOR L2_POOL_2D LOG_SOFTMAX NEG
    REDUCE_ANY REDUCE_MIN RELU6 RELU_N1_TO_1 ROUND SCATTER_ND SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT_V
    """
_NOT_GOOGLE_TENSOR = """
    ASSIGN_VARIABLE BIDIRECTIONAL_SEQUENCE_LSTM BROADCAST_ARGS BUCKETIZE CALL_ONCE COMPLEX_ABS CONV_3D_TRANSPOSE CUSTOM
    DENSIFY FAKE_QUANT HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE IMAG LOCAL_RESPONSE_NORMALIZATION
    MATRIX_DIAG MATRIX_SET_DIAG MULTINOMIAL NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 RANDOM_STANDARD_NORMAL
    RANDOM_UNIFORM RANK READ_VARIABLE REAL REDUCE_PROD REVERSE_SEQUENCE RFFT2D SEGMENT_SUM SHAPE SPARSE_TO_DENSE SVDF
    UNIDIRECTIONAL_SEQUENCE_RNN UNIQUE UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_MIN UNSORTED_SEGMENT_PROD
    UNSORTED_SEGMENT_SUM VAR_HANDLE WHERE
    """
_INTEGERS = "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64"

TAKES: dict[VendorName, Takes] = {
    "qualcomm": Takes(
        _set(_QUALCOMM),
        _set(f"{_INTEGERS} int4 float16 float32 float64"),
        stored={
            **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD", "TRANSPOSE", "TILE", "CUMSUM", "REVERSE_V2"), (1,)),
            **dict.fromkeys(("ARG_MAX", "ARG_MIN", "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "TOPK_V2"), (1,)),
            **dict.fromkeys(("REDUCE_ALL", "REDUCE_ANY"), (1,)),
            **dict.fromkeys(("SLICE", "SPLIT_V", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND"), (1, 2)),
            "SPLIT": (0,),
            "STRIDED_SLICE": (1, 2, 3),
        },
    ),
    "mediatek": Takes(_set(_COMMON), _set("bool int4 int8 uint8 int16 uint16 int32 int64 float16 float32")),
    "google_tensor": Takes(_set(_NOT_GOOGLE_TENSOR), _set(f"{_INTEGERS} int4 float16 float32"), others=True),
    "intel_openvino": Takes(
        _set(f"{_QUALCOMM_AND_INTEL} EXPAND_DIMS RANGE"),
        _set(f"{_INTEGERS} int4 float16 float32 float64"),
        stored={"TOPK_V2": (1,)},
        input_rank=5,
    ),
}
