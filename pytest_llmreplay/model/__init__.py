"""The nouns and the ports: what every other part of the project talks about."""
