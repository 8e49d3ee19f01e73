"""Score: consistency and perception of every reconstruction."""
