"""Pieces that several architectures share, named by the papers' nouns."""
