"""The public site of accepted submissions: static files that any web server shows."""
