"""The decorator that declares a user's Python function as a hook.

    import pyarrow.compute as pc
    import treaty

    @treaty.hook("squeeze(text: string) -> string", pure=True)
    def squeeze(text):
        return pc.utf8_trim_whitespace(text)

The loader finds hooks by reading the file, without running it; the engine imports the file when a mapping calls one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def hook(signature: str, *, pure: bool = False) -> Callable[[Function], Function]:
    """Declare a function over Arrow arrays as a hook, called in cells and decisions like a decision's function.

    Args:
        signature: ``name(param: type, …) -> type``, the types being Treaty's.
        pure: that it gives the same result for the same arguments and touches nothing else; cells refuse any other.
    """

    def declare(function: Function) -> Function:
        function.__treaty_hook__ = (signature, pure)  # type: ignore[attr-defined]
        return function

    return declare
