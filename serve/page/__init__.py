"""The status page: what serves, what it costs, what it saves, and whether it is well."""
