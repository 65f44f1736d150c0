"""The books behind the commit: sealed, and made once more from what was written down."""
