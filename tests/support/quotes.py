"""Generated cases of claimed quotes: copied from a text, with one change."""

import random
import re
from dataclasses import dataclass

TEXTS = {
    "lease.txt": (
        "The landlord, Maria Keller, lets the ground floor of 14 Harbour Street to the tenant from 1 March 2019.\n\n"
        "The monthly rent is 1,250 euros and is due on the third working day. The tenant does not pay for repairs of "
        "the roof. The notice period is three months to the end of a quarter; it must be given in writ-\ning, and an "
        "e-mail is not enough. “Small repairs” of up to 75 euros are paid by the tenant, who may not sublet the ﬂat."
    ),
    "pump.md": (
        "# Pump P-204\n\nSwitch the pump off before you open the lid. The motor turns at 2,900 revolutions a minute, "
        "and draws 7.5 kilowatts. Do not run it dry for longer than 40 seconds.\n\nChange the oil after 500 hours, "
        "every 2000 hours. The seal was designed by Ingrid Solberg in Bergen – it does not need grease."
    ),
    "light.txt": (
        "Das Feuer brennt seit 1887. Der Wärter hieß Jürgen Petersen.\nLe gardien n’a pas quitté l’île en 12 ans.\n"
        "灯台は1972年に建てられた。守り人は島を離れなかった。"
    ),
}
NAMES = ("Maria", "Keller", "Harbour", "Ingrid", "Solberg", "Bergen", "Jürgen", "Petersen")
OTHERS = ("Anna", "Brandt", "Station", "Astrid", "Nilsen", "Tromsø", "Hans", "Larsen")


@dataclass(frozen=True)
class Case:
    """A claim, how it was changed, and its expected status; ``None``: any status but exact."""

    quote: str
    source: str
    kind: str
    status: str | None


def cut(draw, text):
    """Return some consecutive whole words of a text."""
    words = list(re.finditer(r"(?:\S|(?<=-)\n)+", text))
    first = draw.randrange(len(words))
    last = min(len(words), first + draw.randrange(4, 14)) - 1
    return text[words[first].start() : words[last].end()]


def change_digit(draw, quote):
    places = [match.start() for match in re.finditer(r"\d", quote)]
    place = draw.choice(places) if places else None
    return (
        place is not None and quote[:place] + str((int(quote[place]) + draw.randrange(1, 10)) % 10) + quote[place + 1 :]
    )


def change_name(draw, quote):
    found = [(name, other) for name, other in zip(NAMES, OTHERS, strict=True) if name in quote]
    return bool(found) and quote.replace(*draw.choice(found))


def change_not(draw, quote):
    if " not " in quote:
        return quote.replace(" not ", " ", 1)
    words = quote.split(" ")
    return len(words) > 3 and " ".join([*words[:2], "not", *words[2:]])


def change_form(draw, quote):
    changed = draw.choice((str.upper, lambda text: text.replace(" ", "  \n"), lambda text: text.replace(" ", "\u00a0")))
    return changed(quote)


def leave_out(draw, quote):
    words = quote.split(" ")
    return len(words) > 6 and " ".join([*words[:3], draw.choice(("…", "[…]", "...")), *words[-2:]])


def mix(draw, quote):
    return "".join(draw.sample(quote, len(quote)))


KINDS = {
    "cut": (lambda draw, quote: quote, "exact"),
    "digit": (change_digit, None),
    "name": (change_name, None),
    "not": (change_not, None),
    "form": (change_form, "near"),
    "ellipsis": (leave_out, "near"),
    "mixed": (mix, "absent"),
}


def cases(count, seed=1):
    """Create the same number of cases of each kind; only quotes that are copied from a text occur in one."""
    draw = random.Random(seed)
    made = []
    while len(made) < count:
        kind = list(KINDS)[len(made) % len(KINDS)]
        change, status = KINDS[kind]
        source = draw.choice(list(TEXTS))
        quote = change(draw, cut(draw, TEXTS[source]))
        if quote and (kind == "cut" or not any(quote in text for text in TEXTS.values())):
            made.append(Case(quote, source, kind, status))
    return made
