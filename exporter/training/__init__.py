"""What generators of restoration share: losses, loop, schedule."""
