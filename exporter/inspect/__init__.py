"""Looking into model files without running them: operators, number formats, what a device will refuse."""
