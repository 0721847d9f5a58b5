"""What is wrong with what somebody asks of the accounts."""

from __future__ import annotations

from node.errors import NodeError
from scoring.documents import Text


class AccountError(NodeError):
    """A refusal in both languages. `field` names the form's field, or the command's argument."""

    def __init__(self, field: str, text: Text) -> None:
        self.field, self.text = field, text
        super().__init__(f"{field}: {text.en}")


class SignInRefused(NodeError):
    """The sign-in failed; nothing says why. `wait` is in seconds, 0 where none is needed."""

    def __init__(self, wait: int = 0) -> None:
        self.wait = wait
        super().__init__(f"too many attempts; wait {wait} s" if wait else "sign-in refused")
