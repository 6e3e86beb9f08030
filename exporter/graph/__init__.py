"""Model files: one reader and one editor per format."""
