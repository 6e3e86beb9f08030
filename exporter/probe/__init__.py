"""Will this network go through? Every target tried in seconds, without a recipe and without pictures of the user's."""
