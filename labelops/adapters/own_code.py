"""Python code of the workspace's owner, by the name that settings give it."""

from __future__ import annotations

import importlib

from ..errors import LabelopsError, SettingsError, shown

__all__ = ["imported", "own_function"]


def own_function(dotted: str, what: str) -> object:
    """Import what ``"module:function"`` names.

    Parameters
    ----------
    dotted : str
    what : str
        What it is to be, for the message.

    Raises
    ------
    SettingsError
        If there is none of that name, or its module fails while it is imported.
    LabelopsError
        Whatever of it the module raises itself.

    Examples
    --------
    >>> own_function("json:dumps", "rule 'a'").__name__
    'dumps'
    """
    module, _, function = dotted.partition(":")
    advice = "give it as 'module:function', of a sound module on the Python path"
    return imported(module, function, f"{what}: {shown(dotted)}", advice)


def imported(module: str, name: str, what: str, advice: str) -> object:
    """Import a name from a module; the owner named both, so running the module is meant.

    Parameters
    ----------
    module, name : str
    what : str
        Begins the message.
    advice : str
        Ends it.

    Raises
    ------
    SettingsError
        If there is none of that name, or the module fails while it is imported.
    LabelopsError
        Whatever of it the module raises itself.

    Examples
    --------
    >>> imported("json", "dumps", "rule 'a'", "name a function").__name__
    'dumps'
    """
    try:
        found: object = getattr(importlib.import_module(module), name)
    except LabelopsError:
        raise
    except (Exception, SystemExit) as error:  # a script that ends itself is no module either
        said = f"{type(error).__name__}: {shown(str(error), 200)}"
        raise SettingsError(f"{what} cannot be imported ({said}); {advice}") from error
    return found
