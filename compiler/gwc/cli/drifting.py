"""One run of `gwc diff --against live:...`: what the policies compile to, and what a gateway runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gwc.cli.diffing import Diffing, rendered
from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.progress import progress
from gwc.discovery import load_targets
from gwc.ir import Gateway
from gwc.live.source import PREFIX, LiveError, ShowsRunning, fetched
from gwc.live.tree import Kind, Tree, differences, texts
from gwc.live.words import in_words
from gwc.report.drifts import Found
from gwc.target import Target, profile_of


@dataclass(slots=True)
class Drifting:
    diffing: Diffing
    targets: Sequence[str]
    found: Found | None = None

    def run(self) -> None:
        """Raises CommandError, also where a gateway does not answer."""
        gateway = self.diffing.new()
        where = (self.diffing.against or "").removeprefix(PREFIX)
        try:
            target, text = fetched(where, [one.target for one in load_targets(self.targets)])
            with progress("comparing"):
                self.found = _compared(gateway, target, text, self.diffing.against or "")
        except LiveError as error:
            hint = "live: takes Envoy's or Kong's admin URL, or a file with the output of nginx -T"
            raise CommandError(ExitCode.ENVIRONMENT, f"cannot compare: {error}", hint) from error

    def publish(self, form: str) -> None:
        from gwc.report import drifts

        assert self.found is not None
        if form == "text":
            from gwc.report.style import style_for

            sys.stdout.write(drifts.as_text(self.found, style_for(sys.stdout)))
            return
        render = {"json": drifts.as_json, "markdown": drifts.as_markdown, "github": drifts.as_github}[form]
        sys.stdout.write(render(self.found))

    def outcome(self, kinds: tuple[str, ...]) -> ExitCode:
        assert self.found is not None
        if any(drift.kind in kinds for drift in self.found.drifts):
            return ExitCode.CHANGED_GRAVELY
        return ExitCode.CHANGED if self.found.drifts else ExitCode.OK


KINDS = tuple(kind.value for kind in Kind)


def _compared(gateway: Gateway, target: Target, text: str, against: str) -> Found:
    rendered(gateway, [target.name])  # what a target cannot express is said before anything is compared
    assert isinstance(target, ShowsRunning)
    reader, artifact = target.live, target.emit(gateway, profile_of(target, gateway))

    def render(changed: Gateway) -> Tree:
        return reader.wanted(target.emit(changed, profile_of(target, changed)))

    wanted, running = reader.wanted(artifact), reader.running(text, artifact)
    drifts = in_words(gateway, tuple(differences(wanted, running.tree)), render)
    return Found(target.name, against, drifts, running.unseen, _known(wanted))


def _known(wanted: Tree) -> frozenset[str]:
    """Every text of the rendering, every word of these, and every step."""
    every = tuple(texts(wanted))
    return frozenset((*every, *(word for text in every if len(text) < _LINE for word in text.split()), *_steps(wanted)))


_LINE = 1000
"""Characters; what is longer is a script."""


def _steps(tree: Tree) -> Sequence[str]:
    if not isinstance(tree, Mapping):
        return ()
    return [*tree, *(step for branch in tree.values() for step in _steps(branch))]
