"""Orders of a wholesaler, as its customers see them."""
