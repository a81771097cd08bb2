"""The course's first chapter in NumPy alone: what Keras does for the architectures, small enough to be read.

Each file is one lesson's arithmetic, and its tests hold it against Keras, TensorFlow's automatic differentiation or
scikit-learn. Nothing here is an architecture: `models.names()` does not list it.
"""
