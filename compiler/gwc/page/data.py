"""What the script of the page knows of each route: for its filters, and for the route's own window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gwc.document import Document
from gwc.ir import Cache, Gateway, Route, Service
from gwc.page import kept, overruled, platform, way
from gwc.page.effective import LEVELS, Value, effective_limits, values
from gwc.page.picture import fitted
from gwc.page.platform import place

NOBODY = "(no owner)"


@dataclass(slots=True)
class Interned:
    """Each item once, by its position: most of the routes' values are inherited, and so the same."""

    items: list[Any] = field(default_factory=list)
    _known: dict[Any, int] = field(default_factory=dict)

    def add(self, key: Any) -> int:
        if key not in self._known:
            self._known[key] = len(self.items)
            self.items.append(key)
        return self._known[key]


class Data:
    """Collects the routes; `counts` are those of their facets."""

    def __init__(
        self,
        gateway: Gateway,
        documents: Mapping[str, Document],
        notes: Mapping[str, tuple[kept.Note, ...]],
        waivers: Sequence[platform.Waiver],
    ) -> None:
        self._gateway, self._documents, self._subjects, self._waivers = gateway, documents, notes, waivers
        self._fields, self._values, self._stages, self._notes = Interned(), Interned(), Interned(), Interned()
        self.routes: dict[str, dict[str, Any]] = {}
        self.counts: Counter[str] = Counter()

    def notes(self, *subjects: str) -> tuple[kept.Note, ...]:
        return tuple(note for subject in subjects for note in self._subjects.get(subject, ()))

    def add(self, service: Service, index: int) -> None:
        route = service.routes[index]
        subject = f"{service.name}/{route.name}"
        waived = [_waived(one) for one in self._waivers if _excuses(one, service, route)]
        facets = {
            *_facets(self._gateway, service, route),
            *(f"on:{note.target}:{note.fidelity}" for note in self.notes(subject, service.name)),
            *(["has:waiver"] if waived else []),
        }
        self.counts.update(facets)
        levels = overruled.levels_of(self._gateway, service, index, self._documents)
        self.routes[subject] = {
            **_named(service, route),
            "facets": sorted(facets),
            "values": [self._valued(value, levels) for value in values(self._gateway, service, route)],
            "way": [self._stages.add(_stage(stage)) for stage in way.way(self._gateway, service, route)],
            "notes": self._numbered(subject),
            "shared": self._numbered(service.name),
            "waivers": waived,
        }

    def _numbered(self, subject: str) -> list[int]:
        return [self._notes.add(_note(note)) for note in self.notes(subject)]

    def _valued(self, value: Value, levels: overruled.Levels) -> int:
        under = tuple((LEVELS[one.level], one.text, place(one.span)) for one in levels.below(value))
        field = self._fields.add((value.group, value.field))
        return self._values.add((field, value.text, LEVELS[value.origin.level], place(value.origin), under))

    def printed(self) -> dict[str, Any]:
        return {
            "routes": self.routes,
            "fields": self._fields.items,
            "values": self._values.items,
            "stages": self._stages.items,
            "notes": self._notes.items,
        }


def _named(service: Service, route: Route) -> dict[str, Any]:
    """What the search looks at, and the head of the window."""
    return {
        "service": service.name,
        "route": route.name,
        "owner": service.owner or NOBODY,
        "about": route.description,
        "methods": route.methods,
        "path": route.path.text,
        "hosts": service.hosts,
        "at": place(route.provenance["name"]),
    }


def _excuses(waiver: platform.Waiver, service: Service, route: Route) -> bool:
    return waiver.service == service.name and waiver.route in ("", route.name)


def _stage(stage: way.Stage) -> tuple[Any, ...]:
    return stage.name, stage.title, stage.lines, tuple(map(fitted, stage.lines)), stage.statuses


def _note(note: kept.Note) -> tuple[Any, ...]:
    return note.target, note.feature, note.fidelity.value, note.text, note.accepted


def _waived(waiver: platform.Waiver) -> tuple[str, str, str, str]:
    return waiver.bound, waiver.reason, waiver.until.isoformat(), place(waiver.span)


def _facets(gateway: Gateway, service: Service, route: Route) -> Iterator[str]:
    """What the filters ask for, as `kind:value`."""
    yield from (f"auth:{name}" for name in (route.auth.providers if route.auth else ("public",)))
    limits = tuple(effective_limits(gateway, service, route))
    yield from (f"limit:{limit.key.value}" for limit in limits if not limit.shadow)
    yield from ("limit:shadow" for limit in limits if limit.shadow)
    yield from () if any(not limit.shadow for limit in limits) else ("limit:none",)
    yield from ("cache:none",) if route.cache is None else ("cache:kept", f"cache:{_whose(route.cache)}")
    budget = service.budget is not None and route.auth is not None
    marks = {"budget": budget, "stream": route.stream, "websocket": route.websocket, "cors": route.cors is not None}
    yield from (f"has:{name}" for name, there in marks.items() if there)


def _whose(cache: Cache) -> str:
    return "user" if cache.per_user else "public"
