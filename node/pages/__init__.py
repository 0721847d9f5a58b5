"""Web pages for people: accounts, sessions, tables and drawings that every role's pages share.

Pages are made on the server (Jinja) and brought up to date in place by htmx. NiceGUI was tried
first: under a content security policy without `unsafe-inline` its page stays empty, as it is built
by scripts and styles written into it.
"""
