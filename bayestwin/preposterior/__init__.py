"""What data that are not there yet would tell: uncertainty by barrier, and the worth of a request."""
