"""How English asks: phrases that mean the same, words that carry no meaning of their own, numbers and negations.

The rewritings apply in their order, each once, to a question in lower case and without its punctuation.
"""

from __future__ import annotations

import re

_BIBLE = r"(?:the )?(?:(?:holy )?bible|scriptures?|word of god|god's word)"
_ABOUT = r"(?:about|on|concerning|regarding|of)"
_SAY = r"(?:say|says|said|teach|teaches|taught|tell|tells|write|wrote|speak|speaks)(?: us)?"
_BE = r"(?:is|are|was|were)"
_DO = r"(?:do|does|did)"

_REWRITINGS = (
    # Politeness, and asking to be told.
    (r"\b(?:please|kindly)\b", " "),
    (r"^(?:can|could|would|will) you (?:explain|tell|give|find|show|list|name|help)\b", lambda m: m[0].split()[-1]),
    (r"^(?:i (?:want|would like|need) to know|do you know|tell me|tell us) (?=wh|how|which)", ""),
    (r"^((?:explain|interpret|summari[sz]e|describe|list|quote|give|show|find|tell) .+) (?:to|for) (?:me|us)$", r"\1"),
    (r"^is it true that (.+)", r"is \1"),
    (rf"\b(who|what|which) {_BE} it (?:that|who)\b", r"\1"),
    # What the text, a book or a person has to say about a matter.
    (rf"\b{_SAY.replace('say|', 'have to say|say|')} {_ABOUT}\b", "say about"),
    (rf"^what {_BE} said in {_BIBLE} {_ABOUT} (.+)", r"saying \1"),
    (rf"^what {_DO} {_BIBLE} say about (.+)", r"saying \1"),
    (rf"^what {_BIBLE} say about (.+)", r"saying \1"),
    (rf"^what {_BE} (?:the )?(?:bible's )?teachings? (?:of {_BIBLE} )?{_ABOUT} (.+)", r"saying \1"),
    (rf"^what {_DO} (.+) {_SAY}$", r"what do \1 say"),
    # What something means.
    (rf"^what {_BE} the (?:meaning|sense|message) of (.+)", r"meaning \1"),
    (rf"^what {_BE} meant by (.+)", r"meaning \1"),
    (rf"^what {_DO} (.+) means?$", r"meaning \1"),
    (r"^what (.+) means?$", r"meaning \1"),
    (r"^(?:explain|interpret) (?:the meaning of )?(.+)", r"meaning \1"),
    (rf"^how (?:should|ought|{_BE}) (?:we|i|one) (?:to )?(?:understand|interpret) (.+)", r"meaning \1"),
    (rf"^what {_BE} (.+) about$", r"meaning \1"),
    (rf"^how {_DO} {_BIBLE} define (.+)", r"what is \1"),
    (rf"^how {_DO} (.+) define (.+)", r"what is \2 according to \1"),
    (r"^(?:list|name|define|enumerate) (?:me |us )?(.+)", r"what is \1"),
    (r"^(?:give|show|find|quote) (?:me |us )?(?:a |some |the )?(?:short |brief )?(.+)", r"\1"),
    (r"^summary of ", "summarize "),
    # Why, where, when, how, how many.
    (r"^(?:for what reason|how come)\b", "why"),
    (r"^what made ", "why did "),
    (r"^(?:in|at|to) (?:which|what) (?:town|place|city|village|land|country)\b", "where"),
    (rf"^what {_BE} the birthplace of (.+)", r"where was \1 born"),
    (r"^(?:on|in|at) (?:which|what) (?:day|year|time|month)\b", "when"),
    (r"^(?:in which|in what|by what) (?:way|manner)\b", "how"),
    (rf"^at (?:what|which) age {_DO} (.+) die$", r"how old was \1 when he died"),
    (r"\bwhen (?:he|she|they) died\b", "died"),
    (r"^for how\b", "how"),
    (rf"^what (?:{_BE} the )?number of (.+)", r"how many \1"),
    (r"^how many (\w+) that (\w+) had$", r"how many \1 did \2 have"),
    # What may, can and should be.
    (rf"^{_BE} it possible for (.+?) to (.+)", r"can \1 \2"),
    (rf"^{_BE} it (?:right|proper|good) for (.+?) to (.+)", r"should \1 \2"),
    (rf"^{_BE} it (?:a |an )?(\w+) to (.+)", r"is \2 \1"),
    (r"^how ought (.+?) to (.+)", r"how should \1 \2"),
    (r"^ought (.+?) to (.+)", r"should \1 \2"),
    (rf"\b{_BE} (?:we|i|one) (?:supposed )?to\b", "should we"),
    (r"\b(?:has|have|had) to\b", "must"),
    # Words that stand in another order.
    (rf"^(?:which|what) (\w+) {_BE} (?:the )?(\w+est|first|last|\w+th)$", r"what is \2 \1"),
    (r"^(?:which|what) verses? (?:speaks?|talks?|tells?|are|is) (?:about|of|on)\b", "verses about"),
    (r"\b(?:take|takes|took|taken) place\b", "happened"),
    (r"\b(?:run|runs|ran) away\b", "fled"),
)
REWRITINGS = tuple((re.compile(pattern), other) for pattern, other in _REWRITINGS)

CONTRACTIONS = tuple(
    (re.compile(pattern, re.IGNORECASE), other)
    for pattern, other in (
        (r"\bwon't\b", "will not"),
        (r"\bcan't\b|\bcannot\b", "can not"),
        (r"\bshan't\b", "shall not"),
        (r"n't\b", " not"),
        (r"\b(who|what|where|when|why|how|which|that|there|it|he|she)'s\b", r"\1 is"),
        (r"\b(\w+)'re\b", r"\1 are"),
        (r"\b(\w+)'ll\b", r"\1 will"),
        (r"\bno one\b", "nobody"),
    )
)


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEGATIONS = _set("not no never none nobody nothing nowhere neither nor without hardly lack lacks")

_ASKS = _set("who whom whose what which when where why how meaning saying")
FORMS = _ASKS | {"summarize"}
_HOW = _set("many much long old often far big tall")
_AUXILIARIES = {
    **dict.fromkeys(("do", "does", "did"), "do"),
    **dict.fromkeys(("is", "was", "am"), "be"),
    **dict.fromkeys(("are", "were"), "are"),
    **dict.fromkeys(("has", "have", "had"), "have"),
}
_PAST = frozenset({"did", "was", "were", "had"})
_MODALS = _set("can could may might must shall should will would")

SILENT = (
    _MODALS | _ASKS | _set("a an the that is are was were am be been being ever also really actually then so one's")
)
"""Grammar: without meaning where the form of the question is known."""

SAME = {
    **dict.fromkeys(("i", "me", "us", "my", "our", "one"), "we"),
    **dict.fromkeys(("does", "did", "done", "perform", "performs", "performed"), "do"),
    **dict.fromkeys(("has", "had", "having"), "have"),
    "your": "you",
    **{word: word for word in ("gods", "lords", "spirits", "kings", "judges", "fathers", "heavens")},
}
"""What is compared as it is: forms that stems do not know, and plurals that mean something else."""

LINKING = _set("of in on at to for with about from by before after against and or but than as")
"""Between the words that count, and counted with them, but for `and`."""

BOUNDARIES = SILENT | LINKING
"""Where what an apostrophe reaches ends."""

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth"
)
NUMBERS = {
    **{word: str(number) for number, word in enumerate(_UNITS.split())},
    **{word: str(10 * number) for number, word in enumerate(_TENS.split(), 2)},
    **{word: f"{number}." for number, word in enumerate(_ORDINALS.split(), 1)},
    "hundred": "100",
    "thousand": "1000",
    "million": "1000000",
    "once": "1x",
    "twice": "2x",
    "half": "1/2",
    "last": "last",
}


def number(word: str) -> str:
    """What a word counts, ordinals told from cardinals; empty for one that does not count."""
    if match := re.fullmatch(r"(\d+)(st|nd|rd|th)?", word):
        return f"{int(match[1])}." if match[2] else str(int(match[1]))
    return word if any(map(str.isdigit, word)) else NUMBERS.get(word, "")


def auxiliary(tokens: list[str]) -> int | None:
    """The place of the first one, which belongs to the form of the question. Later ones are verbs of their own."""
    return next((place for place, token in enumerate(tokens) if token in _AUXILIARIES), None)


def form(tokens: list[str]) -> tuple[str, ...]:
    """The question word, the first auxiliary and its tense, `by` after a form of `be`, and every modal verb.

    They tell `who killed Cain` from `who did Cain kill`, and from `who was killed by Cain`.
    """
    kind = _kind(tokens)
    place = auxiliary(tokens)
    verb = "" if place is None else tokens[place]
    helper = _AUXILIARIES.get(verb, "")
    named = kind in ("who", "what") and helper in ("be", "are")  # who is, and who was, the father of David
    passive = helper in ("be", "are") and "by" in tokens
    tense = "past" if verb in _PAST and not named else ""
    return (kind, helper, tense, "passive" if passive else "", *(token for token in tokens if token in _MODALS))


def _kind(tokens: list[str]) -> str:
    """Empty for a question that yes or no answers: a `who` in it begins a clause."""
    if not tokens or tokens[0] in _AUXILIARIES or tokens[0] in _MODALS:
        return ""
    place = next((place for place, token in enumerate(tokens) if token in FORMS), None)
    if place is None:
        return ""
    kind, after = tokens[place], tokens[place + 1 : place + 2]
    if kind == "how" and after and after[0] in _HOW:
        return f"how {after[0]}"
    return "what" if kind == "which" else kind
