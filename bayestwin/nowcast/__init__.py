"""Nowcasts: what happened, from what has been reported so far."""
