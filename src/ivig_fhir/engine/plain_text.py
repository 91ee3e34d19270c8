"""What a card repeats of a record: the same characters, set apart where Markdown, HTML or a link would act on them."""

from __future__ import annotations

import re

# between these two a space is put: a link's text and target, a scheme or www and what follows, an opening tag
_ACTIVE = re.compile(r"(?<=\])(?=\()|(?<=:)(?=//)|(?<=www)(?=\.)|(?<=<)(?=[A-Za-z/!?])", re.IGNORECASE)


def plain(text: str) -> str:
    """One line in which nothing is a link, a tag or code; units such as 10*9/L or [iU]/mL stay as they are."""
    return _ACTIVE.sub(" ", " ".join(text.replace("`", "'").replace("\\", " ").split()))
