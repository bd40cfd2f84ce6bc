"""The bakery of reports."""

from .model import MODEL as MODEL
