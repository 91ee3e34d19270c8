"""The service: Flask and all that touches network, clock and disk."""
