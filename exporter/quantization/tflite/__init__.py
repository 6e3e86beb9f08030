"""Writing INT8 and fp16 .tflite files."""
