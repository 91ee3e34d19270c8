"""What is made of the definitions: texts to review, build sheet, site, exports, and what changed between versions."""
