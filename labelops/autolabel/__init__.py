"""Labeler outputs become proposals; the rule under which a proposal may become a label."""
