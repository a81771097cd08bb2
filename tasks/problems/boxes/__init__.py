"""What is shared by questions that are answered with boxes."""
