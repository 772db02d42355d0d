"""Labeler outputs become proposals; the cut-off under which a proposal may become a label."""
