"""What can be set. `configuration` reads it from the environment and from a file."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, model_validator

Seconds = Annotated[float, Field(gt=0, le=3600)]
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]


def _state_directory() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "gwc-assistant"


class Endpoint(BaseModel):
    """An OpenAI-compatible server, `url` up to and with `/v1`. `provider` is its name among prices and in spans."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: HttpUrl
    model: str = Field(min_length=1)
    provider: str = "openai"
    api_key: SecretStr | None = None


class Settings(BaseModel):
    """Durations are in seconds. Without `llm_url` answers are extractive: no key and no network are needed."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    data_dir: Path = Field(default_factory=_state_directory)
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    gateway_secret: SecretStr = Field(min_length=16)
    gateway_secret_previous: SecretStr | None = Field(None, min_length=16)
    gateway_secret_header: str = "X-Gateway-Secret"  # noqa: S105 - the name of a header
    user_header: str = "X-User-Id"
    request_id_header: str = "X-Request-ID"
    problem_type: str = "urn:gwc:problem:"
    base_path: str = Field("/assistant", pattern=r"^(/[^/]+)*$")

    version: Literal["ASV", "KJV"] = "ASV"
    max_verses: Count = 200
    context_passages: Count = 8
    question_chars: Count = 2000
    conversation_turns: Count = 20
    conversation_chars: Count = 16_000
    notes: Count = 20
    notes_chars: Count = 8_000

    llm_url: HttpUrl | None = None
    llm_model: str = ""
    llm_provider: str = "openai"
    llm_api_key: SecretStr | None = None
    fallback_llm_url: HttpUrl | None = None
    fallback_llm_model: str = ""
    fallback_llm_provider: str = "openai"
    fallback_llm_api_key: SecretStr | None = None
    llm_output_tokens: Count = 512
    llm_connect: Seconds = 2
    llm_first_token: Seconds = 15
    llm_next_token: Seconds = 10

    breaker_window: Seconds = 30
    breaker_calls: Count = 5
    breaker_failures: Share = 0.5
    breaker_slow_after: Seconds = 8
    breaker_slow: Share = 0.8
    breaker_open: Seconds = 10
    breaker_probes: Count = 2
    bulkhead: Count = 16
    bulkhead_wait: Seconds = 0.05

    cache_entries: Count = 10_000
    cache_ttl: Seconds = 900
    cache_stale: Annotated[float, Field(ge=0)] = 86_400
    semantic_cache: Literal["off", "shadow", "on"] = "on"
    semantic_closeness: Share | None = None
    semantic_overlap: Annotated[float, Field(ge=0, le=1)] = 0.1
    redis_url: SecretStr | None = None
    redis_timeout: Seconds = 0.25

    embedder: Literal["auto", "lexical", "minilm", "onnx"] = "auto"
    embedder_model: Path | None = None
    embedder_threads: Count = 1
    embedder_batch: Count = 32
    embedder_queue: Count = 256
    verse_index: Literal["auto", "off"] = "auto"

    ledger_url: SecretStr | None = None
    ledger_connections: Count = 4
    ledger_charges_days: int = Field(90, ge=31)
    ledger_sums_days: int = Field(730, ge=31)

    prices: Path | None = None
    unit_usd: Decimal = Field(Decimal("0.0001"), gt=0)

    drain_delay: float = Field(6, ge=0, le=300)
    drain_timeout: Seconds = 60
    otlp_traces: HttpUrl | None = None

    @model_validator(mode="after")
    def _complete(self) -> Settings:
        for prefix in ("llm", "fallback_llm"):
            if (getattr(self, f"{prefix}_url") is None) != (getattr(self, f"{prefix}_model") == ""):
                raise ValueError(f"{prefix}_url and {prefix}_model go together")
        if self.fallback_llm_url is not None and self.llm_url is None:
            raise ValueError("fallback_llm_url needs llm_url")
        if self.ledger_url and not self.ledger_url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("ledger_url begins with postgresql://")
        if self.ledger_sums_days < self.ledger_charges_days:
            raise ValueError("ledger_sums_days is at least ledger_charges_days: sums are kept after charges")
        if (self.embedder == "onnx") != (self.embedder_model is not None):
            raise ValueError("embedder=onnx and embedder_model go together")
        return self

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The models to ask, the preferred one first; none for extractive answers alone."""
        return tuple(
            Endpoint(
                url=url,
                model=getattr(self, f"{prefix}_model"),
                provider=getattr(self, f"{prefix}_provider"),
                api_key=getattr(self, f"{prefix}_api_key"),
            )
            for prefix in ("llm", "fallback_llm")
            if (url := getattr(self, f"{prefix}_url")) is not None
        )

    @property
    def gateway_secrets(self) -> tuple[bytes, ...]:
        """What proves that a request passed the gateway: the new secret, and the old one while both are in use."""
        secrets = (self.gateway_secret, self.gateway_secret_previous)
        return tuple(secret.get_secret_value().encode() for secret in secrets if secret is not None)


RELOADABLE = frozenset(
    {
        *("gateway_secret", "gateway_secret_previous", "prices", "unit_usd"),
        *("version", "max_verses", "context_passages"),
        *("question_chars", "conversation_turns", "conversation_chars", "notes", "notes_chars"),
        *("llm_url", "llm_model", "llm_provider", "llm_api_key", "llm_output_tokens"),
        *("fallback_llm_url", "fallback_llm_model", "fallback_llm_provider", "fallback_llm_api_key"),
        *("llm_connect", "llm_first_token", "llm_next_token", "bulkhead", "bulkhead_wait"),
        *("breaker_window", "breaker_calls", "breaker_failures", "breaker_slow_after", "breaker_slow"),
        *("breaker_open", "breaker_probes"),
        *("embedder", "embedder_model", "embedder_threads", "embedder_batch", "embedder_queue", "verse_index"),
        *("semantic_cache", "semantic_closeness", "semantic_overlap"),
    }
)
"""What may change while the service runs. The rest is what it listens on, what it keeps, and what the gateway knows."""
