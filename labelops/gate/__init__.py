"""Facts against bounds become a verdict: pass, fail or inconclusive; it never fails open."""
