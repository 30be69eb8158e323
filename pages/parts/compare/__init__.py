"""The compare page: what is chosen, its views, and what stands beside them."""
