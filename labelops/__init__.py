"""labelops: label data with models and people, certify the error, release versioned label sets."""

__version__ = "0.1.0"
