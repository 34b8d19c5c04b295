"""Lines, labelled texts and dialogues."""
