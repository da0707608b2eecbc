"""Says what a search index holds: its documents, its vocabulary, its common words."""

__version__ = "0.3.0"
