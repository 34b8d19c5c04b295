"""The verbs: collect, clean, split, train, generate, augment, balance, inspect, run. None of them knows what an item is."""
