"""asyncflask beside its peers: see README.md."""
