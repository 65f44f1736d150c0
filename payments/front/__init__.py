"""What all blueprints share: who asks, words, errors, limits. They do not know each other."""
