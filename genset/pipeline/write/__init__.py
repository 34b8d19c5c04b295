"""Last stage: write items as a dataset version."""
