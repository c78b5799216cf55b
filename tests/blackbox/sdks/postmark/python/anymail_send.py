"""Sends mail with Django through django-anymail; sdks.py runs it."""

from anymail_mail import serve_calls

serve_calls("postmark", "server_token")
