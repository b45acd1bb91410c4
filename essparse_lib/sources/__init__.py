"""Where bytes come from: package archives, the hub, and a local folder laid out like the hub."""
