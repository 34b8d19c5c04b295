"""The verbs: collect, clean, split, train, generate, augment, balance, inspect, run. None knows what an item is."""
