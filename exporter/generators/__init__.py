"""Networks, their building blocks and names."""
