"""Appointments, durations and staff in general practice, from what NHS England publishes."""
