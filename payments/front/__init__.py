"""What all blueprints share, so that they need not know each other: who asks, errors, words, limits."""
