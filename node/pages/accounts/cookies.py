"""The two cookies: of a session, and of a sign-in that is under way.

Both have the prefix `__Host-`: a browser takes them only over TLS (or of this machine itself), for
this host alone, so that no other site of the same domain can set them.
"""

from __future__ import annotations

import hmac
from typing import Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from node.pages.accounts.sessions import Origin, csrf_of, new_token

SESSION: Final = "__Host-session"
SIGNIN: Final = "__Host-signin"


def put(response: Response, name: str, token: str) -> None:
    """Sets a cookie that lasts as long as the browser runs, or the node says."""
    response.set_cookie(name, token, path="/", secure=True, httponly=True, samesite="lax")


def remove(response: Response, name: str) -> None:
    """Takes a cookie back."""
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")


def session_of(request: Request) -> str:
    """The session's token, or nothing."""
    return request.cookies.get(SESSION, "")


def signin_of(request: Request) -> str:
    """The token of the sign-in under way, or nothing."""
    return request.cookies.get(SIGNIN, "")


def signin_for(request: Request) -> str:
    """The same, or a new one, which is to be put."""
    return signin_of(request) or new_token()


def is_of_signin(request: Request, form: FormData) -> bool:
    """Whether a form was made for the browser that posts it: nobody can be signed in to somebody
    else's account by a page elsewhere.
    """
    token, given = signin_of(request), form.get("csrf")
    if not token or not isinstance(given, str):
        return False
    return hmac.compare_digest(csrf_of(token).encode(), given.encode("utf-8", "replace"))


def origin_of(request: Request) -> Origin:
    """Where a request comes from, as sessions and attempts keep it."""
    address = request.client.host if request.client is not None else ""
    return Origin(address, request.headers.get("user-agent", ""))
