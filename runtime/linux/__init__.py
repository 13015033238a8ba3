"""System calls and what Linux calls them."""
