"""What TensorRT, TensorRT-RTX and CUDA engines share: the GPU, the library, building a plan and describing it."""
