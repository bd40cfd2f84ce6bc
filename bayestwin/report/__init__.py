"""From answers to documents."""
