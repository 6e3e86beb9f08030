"""What vendors' neural processors will make of a file, from what their public LiteRT plugins say."""
