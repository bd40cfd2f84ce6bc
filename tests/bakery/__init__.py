"""A model folder for tests, and a study of it: `write_bakery`."""

from .model import MODEL

__all__ = ["MODEL"]
