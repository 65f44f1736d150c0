"""The outside: one file a rail. None knows another, none touches the store."""
