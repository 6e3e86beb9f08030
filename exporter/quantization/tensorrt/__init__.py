"""Writing .onnx files that TensorRT builds INT8 engines from."""
