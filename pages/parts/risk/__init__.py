"""Parts of the risk page."""
