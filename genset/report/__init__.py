"""Report pages, charts and the formatting of figures."""
