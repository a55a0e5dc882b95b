"""The examples and the traceback page, used by people with a real browser."""
