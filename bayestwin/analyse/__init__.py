"""From a posterior to answers."""
