"""A browser and what it is shown: the page of a bundle, the engine in it, and a headless Chromium that drives both."""
