"""Where an INT8 file loses accuracy, layer by layer."""
