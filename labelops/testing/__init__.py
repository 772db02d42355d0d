"""Conformance suites for the ends, and simulated annotators: shipped, to test your own ends."""
