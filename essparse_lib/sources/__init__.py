"""Get models and data: from package archives, from the hub, and from local folders laid out like the hub."""
