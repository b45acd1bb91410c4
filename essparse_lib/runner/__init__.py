"""The one door between plain data and models: where a spec is run and becomes a record."""
