"""Which models a gateway has, and what it declares about them."""
