"""From a twin and observations to a posterior."""
