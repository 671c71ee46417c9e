"""What a running gateway has that its policies do not say, and the other way round."""
