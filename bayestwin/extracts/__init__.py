"""Files in, typed observations out."""
