"""A PKCS#11 token for tests: SoftHSM2, with an AES key on it that never leaves it.

A process initialises a PKCS#11 library once, with the tokens that its environment names then: one
process makes at most one folder of them.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

LABEL, KEY, PIN = "yinxin-test", "audit", "4711"
_PLACES = ("/usr/lib", "/usr/local/lib", "/usr/lib64")


def module() -> Path | None:
    """SoftHSM's PKCS#11 library, or None where it is not installed."""
    found = (path for place in _PLACES for path in Path(place).glob("**/libsofthsm2.so"))
    return next(found, None)


def make_token(folder: Path, library: Path) -> None:
    """A token with a key, in this process's environment from now on."""
    import pkcs11
    from pkcs11 import Attribute, KeyType

    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    pins = ["--so-pin", PIN, "--pin", PIN]
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", LABEL, *pins],
        check=True,
        capture_output=True,
    )
    secret = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
    with (
        pkcs11.lib(str(library)).get_token(token_label=LABEL).open(rw=True, user_pin=PIN) as session
    ):
        session.generate_key(KeyType.AES, 256, label=KEY, store=True, template=secret)
