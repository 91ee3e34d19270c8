"""A patient's record over the content -> what each unit says, and why. Pure: no clock, no I/O."""
