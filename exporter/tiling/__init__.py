"""Pictures of any size through a model of one size: receptive field, grid of tiles, photographs, video."""
