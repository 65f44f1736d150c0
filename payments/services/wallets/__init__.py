"""What people do with their own money, and what they are told of it."""
