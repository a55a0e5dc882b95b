"""An application inside of others, and others inside of it."""
