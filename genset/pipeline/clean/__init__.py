"""Second stage: find undecodable items, duplicates, near-duplicates, outliers and label errors."""
