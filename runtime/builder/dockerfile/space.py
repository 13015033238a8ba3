"""White space as BuildKit's parser sees it.

Go's unicode.IsSpace is not Python's str.isspace: the latter also takes U+001C to U+001F. A Dockerfile's
instruction is split at ASCII white space only (the pattern of BuildKit's parser.go).
"""

import re

ASCII = "\t\n\v\f\r "
SPACES = (
    f"{ASCII}\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_GAP = re.compile(r"[\t\v\f\r ]+")


def split_once(text: str) -> list[str]:
    """Split at the first run of white space, into one part or two; parts may be empty."""
    return _GAP.split(text, maxsplit=1)


def split(text: str) -> list[str]:
    """Split at every run of white space; parts may be empty at the ends."""
    return _GAP.split(text)
