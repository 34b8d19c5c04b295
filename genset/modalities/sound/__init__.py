"""Short sounds."""
