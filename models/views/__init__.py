"""Looking inside a trained network: what its filters are, what they see, and what an answer rests on.

Every view takes a network of one image, Sequential or functional, and samples as they are stored, uint8 (B, H, W, C);
it gives NumPy arrays, and leaves the network as it is.
"""
