"""What the shop's own systems are told, by whom and until when."""
