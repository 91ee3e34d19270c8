"""definitions/r4 as one frozen Content: what everything else reads instead of files."""
