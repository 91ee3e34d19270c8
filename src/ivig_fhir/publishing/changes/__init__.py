"""What changed between two versions of content, in clinical words, and whose cards change with it."""
