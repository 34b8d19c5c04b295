"""Report pages of datasets, models and comparisons."""
