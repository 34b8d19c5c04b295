"""What each command does, one file a command: it calls the stages of the pipeline in order."""
