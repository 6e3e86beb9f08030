"""ONNX to TFLite, operator by operator."""
