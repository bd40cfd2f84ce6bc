"""A model ready to be used: equations, priors with sources, and how its streams are read."""
