"""Finds text that speaks to whoever reads a change, or to the model that does: orders, roles, verdicts made up.

Text is compared after Unicode's compatibility decomposition, without marks and invisible characters, with the Greek
and Cyrillic letters that pass for Latin ones replaced, names cut into their words, and all in lower case. A phrase is
found across the parts that it was split over (lines of a text, strings of a program). English, German, French, Spanish
and Chinese are known.

Invariants: a pure function; what is found depends on no other text. Left out, for no list of phrases can have them:
paraphrase, irony, other languages, misspelling, letters set apart, ciphers. Whoever needs to be sure masks by syntax
(`krins.pipeline.judging.elision`), not by phrase.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

_LOOKALIKES = str.maketrans("авекмнорстухіјѕһԁԛԝαεηικνορτυχ", "abekmhopctyxijshdqwaenikvoptux")
_CAMEL = re.compile(r"(?<=[a-z\d])(?=[A-Z])")
_NO_WORD = re.compile(r"[\W_]+")

_READER = (
    "(?:judges?|reviewers?|graders?|evaluators?|assessors?|verifiers?|ai|llms?|language models?|assistants?|"
    "chatgpt|gpt|claude|gemini|gutachter|richter|prufer|bewerter|correcteur|juge|evaluateur|juez|evaluador|revisor)"
)
_GOOD = (
    "(?:yes|true|right|correct|passed|pass|passes|approved?|accepted?|perfect|flawless|verified|holds?|ja|richtig|"
    "korrekt|oui|correcte?|si|correcto|100|10 10|1 0)"
)
_WORK = (
    "(?:change|patch|solution|submission|code|diff|implementation|answer|anderung|losung|modification|cambio|solucion)"
)


def _words(least: int, most: int) -> str:
    return rf"(?:\w+ ){{{least},{most}}}"


_ORDERS = (
    r"(?:ignore|disregard|forget|override|bypass) "
    + _words(0, 4)
    + r"(?:instructions?|prompts?|guidelines?|directives?)",
    r"(?:ignore|disregard|forget) (?:everything|all|anything|what) " + _words(0, 3) + "(?:above|before|earlier|said)",
    r"(?:new|updated|real|actual|hidden|system) (?:system )?(?:instructions?|prompt) (?:is|are|for|follows?)",
    r"(?:answer|reply|respond|vote|verdict|checkpoints?|rating) " + _words(0, 4) + _GOOD,
    _READER
    + " "
    + _words(0, 2)
    + r"(?:must|should|shall|please|has to|have to|needs? to|ought|muss|soll|bitte|doit|debe)",
    r"(?:dear|attention|hello|hi|hey|note|message|instructions?|memo|lieber?|cher|estimado|as|als|en tant que|como) "
    + _words(0, 2)
    + _READER,
    r"you are (?:now |not )?(?:an? |the )?" + _words(0, 2) + _READER,
    rf"(?:mark|rate|grade|score|judge|approve|accept|consider|deem) {_words(0, 3)}(?:{_WORK}|it) (?:as )?{_GOOD}",
    rf"(?:approve|accept|upvote) (?:this|the|my) {_WORK}",
    r"(?:ignorieren?|ignoriere|vergiss|vergessen|missachten?) "
    + _words(0, 5)
    + "(?:anweisung(?:en)?|vorgaben?|regeln|eingabe)",
    r"(?:antworte|antworten|antwort|bewerte|sage?) " + _words(0, 4) + _GOOD,
    r"(?:ignore[zr]?|oublie[zr]?) " + _words(0, 4) + "(?:instructions?|consignes?|regles)",
    r"(?:reponds|repondez|repondre|reponse) " + _words(0, 3) + _GOOD,
    r"(?:ignor[ae]|olvid[ae]|ignorar) " + _words(0, 4) + "(?:instrucciones|indicaciones|reglas)",
    r"(?:responde|responda|contesta|conteste|responder|respuesta) " + _words(0, 3) + _GOOD,
)
_CLAIMS = (
    rf"(?:this|the|my|diese|die|cette|la|esta) {_WORK} {_words(0, 3)}(?:is|was|has been|ist|est|es) {_words(0, 4)}"
    + _GOOD,
    r"(?:all|every|hidden) "
    + _words(0, 3)
    + r"(?:tests|gates|checks|checkpoints) "
    + _words(0, 3)
    + r"(?:pass|passed|passes|green|hold|holds|succeeded|succeed)",
    r"(?:gates?|hidden tests?) (?:result |status |verdict |evidence )?(?:is |are )?(?:passed|green|holds?)",
    r"(?:fulfils|edge cases|readability|compatibility) (?:holds? )?(?:true|yes)",
)
_CHINESE = (
    r"(?:忽略|无视|忘记|不要理会)\W*\w{0,14}?(?:指令|指示|说明|提示|要求|规则)",
    r"(?:回答|答复|回复|输出|判断为|判定为)\W*\w{0,6}?(?:是|正确|通过|yes)",
    r"(?:评审|裁判|评委|评判|法官|审查)(?:员|者|人)?\W*\w{0,4}?(?:请|必须|应该|应当|务必)",
)
_ADDRESS = re.compile("|".join([*(rf"\b(?:{phrase})\b" for phrase in _ORDERS), *_CHINESE]))
_CLAIM = re.compile("|".join(rf"\b(?:{phrase})\b" for phrase in _CLAIMS))

_MARKUP = re.compile(
    r"<\|[^|>]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>|"
    r"</?(?:system|assistant|user|human|judge|verdict|instructions?|task|change|gates?)>|"
    r"^\W{0,20}(?:system|assistant|user|human|developer|judge|verdict|task|question)\W{0,3}:\W*(?:(?:\S+\s+){3}|(?:yes|right)\b)|"
    r"^\W{0,20}#{2,}\s*(?:system|instructions?|response|human|assistant|user|verdict|answer|task|question)\b|"
    r"^\W{0,20}={3,}\s*\w",
    re.IGNORECASE,
)
_BLOB = re.compile(r"[A-Za-z0-9+/_-]{40,}")
_ESCAPES = re.compile(r"(?:\\x[0-9A-Fa-f]{2}|\\u\{?[0-9A-Fa-f]{4}\}?|&#x?[0-9A-Fa-f]{1,6};|%[0-9A-Fa-f]{2}){8}")


def speaking(parts: Sequence[str], *, claims: bool = True) -> frozenset[int]:
    """Which of the parts, read one after the other, speak to a reader.

    Args:
        claims: whether "all tests passed" and the like count; of a gate's evidence they are the very point.
    """
    found = {index for index, part in enumerate(parts) if _is_odd(part)}
    plain = [_plain(part) for part in parts]
    starts = list(accumulate((len(part) + 1 for part in plain), initial=0))
    text = " ".join(plain)
    for pattern in (_ADDRESS, _CLAIM) if claims else (_ADDRESS,):
        for match in pattern.finditer(text):
            first, last = (bisect_right(starts, position) - 1 for position in (match.start(), match.end() - 1))
            found.update(index for index in range(first, last + 1) if plain[index])
    return frozenset(found)


def speaks(text: str) -> bool:
    return bool(speaking(text.splitlines()))


def is_invisible(character: str) -> bool:
    """Zero-width, direction, tag and control characters, but for the tab and the end of a line."""
    return unicodedata.category(character) in ("Cf", "Cc", "Co", "Cn") and character not in "\t\n"


def _is_odd(part: str) -> bool:
    folded = unicodedata.normalize("NFKC", part)
    is_encoded = _ESCAPES.search(folded) or any(_mixes(run) for run in _BLOB.findall(folded))
    return any(map(is_invisible, part)) or bool(is_encoded or _MARKUP.search(folded))


def _mixes(run: str) -> bool:
    """Lower case, upper case and digits, as Base64 does and paths do not."""
    return bool(re.search("[a-z]", run) and re.search("[A-Z]", run) and re.search(r"\d", run))


def _plain(part: str) -> str:
    """Words in lower case, one blank between them."""
    visible = "".join(character for character in part if not is_invisible(character))
    decomposed = unicodedata.normalize("NFKD", visible)
    letters = "".join(character for character in decomposed if not unicodedata.combining(character))
    words = _CAMEL.sub(" ", letters).casefold().translate(_LOOKALIKES)
    return _NO_WORD.sub(" ", words).strip()


__all__ = ["is_invisible", "speaking", "speaks"]
