"""Whether a calibration deserves belief: checks with a value, a threshold and its source, and backtests."""
