"""Sign-in at an OpenID provider: authorization code with PKCE, by OpenID Connect Core 1.0.

1. `GET /login/provider` makes state, nonce and verifier, keeps them sealed for ten minutes under
   the token in the browser's cookie, and leads to the provider (PKCE S256, RFC 7636).
2. At the callback what was kept is taken, once. The state must be the same; the issuer that the
   answer names (RFC 9207) must be the configured one, and be named if the provider says it does.
3. The code is exchanged at the token endpoint; the ID token is verified: signature by a key of the
   provider under an allowed algorithm, issuer, audience, authorized party, times, nonce.
4. Duties come of the configured claim, at each sign-in anew; without one nobody is let in.
"""
