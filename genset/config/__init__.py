"""The config: its sections, how it is read from YAML, and its messages."""
