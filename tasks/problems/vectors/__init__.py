"""What the question for vectors of words is judged by besides: other ways to learn them, and how vectors look."""
