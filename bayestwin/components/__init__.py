"""Generic parts of latent workload models: hierarchy, trend, calendar, durations."""
