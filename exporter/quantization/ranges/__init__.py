"""Which values activations take: from calibration pictures to a range per tensor."""
