"""Reports: one function a form, from a Result to text."""
