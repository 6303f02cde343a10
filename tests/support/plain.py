"""Clients of servers on this machine, which speak plain HTTP."""

from __future__ import annotations

import ssl

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For `httpx2.AsyncClient(verify=NO_TLS)`. It trusts nobody, and is made once.

What a client makes without it is every authority of the system: 30 ms of work, for each client.
"""
