"""The pluggable ends: one file a vendor, each behind one Protocol of `labelops.ports`."""
