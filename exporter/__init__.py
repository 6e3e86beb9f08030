"""From a trained image-restoration generator to a verified mobile bundle."""

import os

# OpenMP threads that wait by spinning make PyTorch 80 times slower as soon as another process wants the same
# cores (measured: 2.8 s instead of 0.03 s). Read by the OpenMP library when torch loads it, so it is set first.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
