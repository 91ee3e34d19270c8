"""What is published besides the definitions themselves: texts to review and sign."""
