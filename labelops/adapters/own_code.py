"""Functions of the workspace's owner, by the name that settings give them."""

from __future__ import annotations

import importlib

from ..errors import SettingsError, shown

__all__ = ["own_function"]


def own_function(dotted: str, what: str) -> object:
    """Import what ``"module:function"`` names; the owner named it, so importing it is meant.

    Parameters
    ----------
    dotted : str
    what : str
        What it is to be, for the message.

    Raises
    ------
    SettingsError
        If there is none of that name.

    Examples
    --------
    >>> own_function("json:dumps", "rule 'a'").__name__
    'dumps'
    """
    module, _, function = dotted.partition(":")
    try:
        found: object = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(
            f"{what}: {shown(dotted)} cannot be imported ({error}); give it as "
            "'module:function', with the module on the Python path"
        ) from None
    return found
