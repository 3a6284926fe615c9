"""What the page is made of: markup, style and script."""
