"""The figures of a finished run, handed to who keeps figures: MLflow, TensorBoard. No bundle depends on it."""
