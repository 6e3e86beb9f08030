"""From a trained image-restoration generator to a verified mobile bundle."""
