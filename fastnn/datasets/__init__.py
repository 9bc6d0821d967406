"""The shipped digits, and photos and drawings of digits."""
