"""What a network sees in an image."""
