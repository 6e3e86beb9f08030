"""The operators that GPU engines of TFLite and LiteRT parse.

Sources, google-ai-edge/LiteRT: for the older delegate (`GpuDelegate` of an Interpreter, up to LiteRT 1.4)
tflite/delegates/gpu/common/model_builder.cc, for ML Drift (`CompiledModel`, LiteRT 2) ml_drift_delegate/tflite/
model_builder.cc, both together with tflite/tools/versioning/gpu_compatibility.cc, at f677577 (August 2026). The list in
the delegate's documentation is older and shorter. RELU_0_TO_1 has a parser, but the compatibility check refuses it.
"""

# fmt: off
GPU_DELEGATE_OPS = frozenset({
    "ABS", "ADD", "ADD_N", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CAST", "CONCATENATION", "CONV_2D", "COS",
    "CUMSUM", "DENSIFY", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE", "DIV", "EQUAL", "ELU",
    "EXP", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "FULLY_CONNECTED", "GATHER", "GELU", "GREATER",
    "GREATER_EQUAL", "HARD_SWISH", "LESS", "LESS_EQUAL", "LOGISTIC", "LOG", "LOGICAL_AND", "LSTM",
    "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MIRROR_PAD", "MUL", "NEG", "NOT_EQUAL", "ONE_HOT",
    "PACK", "PAD", "PADV2", "POW", "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "RELU",
    "RELU6", "RELU_N1_TO_1", "LEAKY_RELU", "PRELU", "RESHAPE", "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SELECT", "SELECT_V2", "SIGN", "SIN", "SLICE", "SOFTMAX",
    "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQRT", "SQUARE", "SQUARED_DIFFERENCE", "STRIDED_SLICE",
    "SUB", "SUM", "TANH", "TILE", "TRANSPOSE", "TRANSPOSE_CONV", "UNPACK",
})
ML_DRIFT_OPS = (GPU_DELEGATE_OPS - {"DENSIFY"}) | {
    "ARG_MAX", "ATAN2", "BITCAST", "CEIL", "DYNAMIC_UPDATE_SLICE", "EMBEDDING_LOOKUP", "LOGICAL_NOT", "LOGICAL_OR",
    "REDUCE_ALL", "REDUCE_ANY", "REVERSE_V2", "ROUND", "TOPK_V2",
}
# fmt: on
