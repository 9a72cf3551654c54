"""Gemini's generateContent on the wire: https://ai.google.dev/api/generate-content.

Invariants: the path names the model and whether the answer is streamed; `candidatesTokenCount` leaves out what was
thought; usage in a stream is a running total in every chunk. Left out: tools, files, several candidates, Vertex AI.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from krins.fake_provider.faults import Kind
from krins.fake_provider.wire import Ask, Finish, Frame, Json, Reply, Tokens, count, dump, required, text_of

_FINISH_REASONS: dict[Finish, str] = {"stop": "STOP", "length": "MAX_TOKENS", "refusal": "SAFETY"}
_ERRORS: dict[Kind, tuple[int, str, str]] = {
    Kind.SERVER_ERROR: (500, "INTERNAL", "An internal error has occurred. Please retry."),
    Kind.OVERLOADED: (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    Kind.AUTH: (401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
    Kind.INVALID_KEY: (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
    Kind.BAD_REQUEST: (400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
    Kind.TOO_LONG: (
        400,
        "INVALID_ARGUMENT",
        "The input token count (1208310) exceeds the maximum number of tokens allowed (1048576).",
    ),
    Kind.NOT_FOUND: (
        404,
        "NOT_FOUND",
        "models/{model} is not found for API version v1, or is not supported for generateContent. "
        "Call ListModels to see the list of available models and their supported methods.",
    ),
}
_RATE_LIMIT = (
    429,
    "RESOURCE_EXHAUSTED",
    "You exceeded your current quota, please check your plan and billing details.",
)
_MODELS = ("gemini-4-argon", "gemini-3.8-flash", "gemini-3.5-flash-lite")


class Gemini:
    provider: Literal["google"] = "google"
    request_id_header = ""

    def read(self, body: Json, model: str, is_streamed: bool) -> Ask:
        contents: list[Any] = required(body, "contents", list)
        texts = [text_of(content.get("parts")) for content in contents]
        system = (body.get("systemInstruction") or {}).get("parts") or ""
        settings = body.get("generationConfig") or {}
        schema = settings.get("responseJsonSchema") or settings.get("responseSchema")
        words = schema["enum"] if schema and settings.get("responseMimeType") == "text/x.enum" else ()
        return Ask(
            provider=self.provider,
            model=model,
            prompt=texts[-1],
            earlier=tuple(texts[:-1]),
            n_characters=len(text_of(system)) + sum(map(len, texts)),
            max_tokens=settings.get("maxOutputTokens"),
            is_streamed=is_streamed,
            seed=settings.get("seed") or 0,
            schema=None if words else schema,
            words=tuple(words),
            n_alternatives=(settings.get("logprobs") or 0) if settings.get("responseLogprobs") else None,
            thinks=(settings.get("thinkingConfig") or {}).get("thinkingBudget") != 0,
            caches=True,
        )

    def answer_id(self, digits: str) -> str:
        return digits[:22]

    def whole(self, reply: Reply) -> Json:
        if reply.finish == "blocked":
            return _blocked(reply)
        candidate = _candidate(reply.text if reply.finish != "refusal" else "", reply.finish) | _logprobs(reply)
        return {"candidates": [candidate]} | _usage(reply, reply.tokens) | _tail(reply)

    def frames(self, reply: Reply) -> Iterator[Frame]:
        if reply.finish == "blocked":
            yield _frame(_blocked(reply))._replace(has_usage=reply.tells_usage, is_final=True)
            return
        n_characters, logprobs = 0, _logprobs(reply)
        for piece in reply.pieces() if reply.finish != "refusal" else ():
            n_characters += len(piece)
            so_far = min(reply.tokens.output, reply.tokens.reasoning + count(n_characters))
            usage = _usage(reply, reply.tokens._replace(output=so_far))
            candidate = _candidate(piece, None) | logprobs
            yield _frame({"candidates": [candidate]} | usage | _tail(reply))._replace(is_text=True)
            logprobs = {}  # the first piece tells all
        last = {"candidates": [_candidate("", reply.finish)]} | _usage(reply, reply.tokens) | _tail(reply)
        for _ in range(2 if reply.repeats_usage else 1):
            yield _frame(last)._replace(has_usage=reply.tells_usage, is_final=True)

    def error(self, kind: Kind, model: str, request_id: str, message: str, retry_after_seconds: float) -> Json:
        code, status, usual = _ERRORS.get(kind, _RATE_LIMIT)
        error: Json = {"code": code, "message": message or usual.format(model=model), "status": status}
        details = _details(kind, retry_after_seconds)
        return {"error": error | ({"details": details} if details else {})}

    def error_frame(self) -> bytes:
        return _frame(self.error(Kind.OVERLOADED, "", "", "", 0)).data

    def models(self) -> Json:
        return {"models": [self.model(name) for name in _MODELS]}

    def model(self, name: str) -> Json:
        return {
            "name": f"models/{name}",
            "version": "fake",
            "displayName": f"{name} (fake)",
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
        }


def _details(kind: Kind, retry_after_seconds: float) -> list[Json]:
    if kind is Kind.INVALID_KEY:
        reason = {"reason": "API_KEY_INVALID", "domain": "googleapis.com"}
        return [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **reason}]
    if kind in (Kind.RATE_LIMITED, Kind.RATE_LIMITED_DATE):
        violation = {"quotaMetric": "generativelanguage.googleapis.com/generate_requests", "quotaId": "PerMinute"}
        return [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{retry_after_seconds:g}s"},
        ]
    return []


def _candidate(text: str, finish: Finish | None) -> Json:
    """`finish` is None in the chunks before the last, and then nothing is said of it."""
    candidate: Json = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if finish == "refusal":
        rating = {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True}
        candidate = {"index": 0, "safetyRatings": [rating]}
    reason = _FINISH_REASONS.get(finish) if finish else None
    return candidate | ({"finishReason": reason} if reason else {})


def _logprobs(reply: Reply) -> Json:
    if not reply.sampled:
        return {}
    chosen = [_scored(token.text, token.logprob) for token in reply.sampled]
    top = [{"candidates": [_scored(*alternative) for alternative in token.alternatives]} for token in reply.sampled]
    return {"logprobsResult": {"chosenCandidates": chosen, "topCandidates": top}}


def _scored(token: str, logprob: float) -> Json:
    return {"token": token, "logProbability": logprob}


def _blocked(reply: Reply) -> Json:
    return {"promptFeedback": {"blockReason": "SAFETY"}} | _usage(reply, reply.tokens) | _tail(reply)


def _tail(reply: Reply) -> Json:
    return {"modelVersion": reply.ask.model, "responseId": reply.answer_id}


def _usage(reply: Reply, tokens: Tokens) -> Json:
    if not reply.tells_usage:
        return {}
    usage: Json = {
        "promptTokenCount": tokens.input,
        "totalTokenCount": tokens.input + tokens.output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.input}],
    }
    # As the real thing, it leaves out what is nothing.
    said = tokens.output - tokens.reasoning
    usage |= {"candidatesTokenCount": said} if said else {}
    usage |= {"cachedContentTokenCount": tokens.cached} if tokens.cached else {}
    usage |= {"thoughtsTokenCount": tokens.reasoning} if tokens.reasoning else {}
    return {"usageMetadata": usage}


def _frame(content: Json) -> Frame:
    return Frame(b"data: %b\r\n\r\n" % dump(content))
