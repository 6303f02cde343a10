"""Tells others over HTTP what has happened: signed webhooks, and messages for Slack."""
