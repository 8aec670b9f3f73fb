"""The web page: a face of what the rest of the package does. `launch.py` starts it; nothing else imports it."""
