"""Fourth stage: train a model on the training set and write it as a version."""
