"""Writing INT8 .onnx files (QuantizeLinear and DequantizeLinear)."""
