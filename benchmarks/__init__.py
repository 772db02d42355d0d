"""What labelops costs, measured beside a bound or a peer; see README.md."""
