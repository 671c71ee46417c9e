"""One run of `gwc init`: ask where somebody can answer, draft, check with lint, write, say what is next."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import typer

from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.importing import LABEL, PLATFORM, check_endpoint, check_service, platform_in, write_new
from gwc.cli.mistakes import told
from gwc.diagnostics import Report
from gwc.document import parse
from gwc.imports.findings import Findings, ImportFailedError
from gwc.imports.openapi import PLACEHOLDER
from gwc.imports.start import Answers, begin, policies
from gwc.imports.values import slug
from gwc.lint.code.project import CodeError
from gwc.policy.load import load
from gwc.policy.platform import PlatformPolicy
from gwc.source import read_source

_DESCRIPTIONS = ("openapi.yaml", "openapi.yml", "openapi.json")
"""What people call the description of their service."""


@dataclass(slots=True)
class Starting:
    """`directory` may not exist yet."""

    directory: str
    findings: Findings = field(default_factory=Findings)
    there: str | None = None
    platform: PlatformPolicy | None = None

    def __post_init__(self) -> None:
        self.there = platform_in(Path(self.directory))
        if self.there is not None:
            self.platform = _platform(self.there)

    def run(self, answers: Answers) -> ExitCode:
        check(answers)
        with told("name a file that is there"):
            files = self._files(answers)
        if files is None:
            self._report()
            return ExitCode.FINDINGS
        if self.there is not None:
            files = {name: text for name, text in files.items() if name != PLATFORM and not name.startswith("keys/")}
        written = write_new(Path(self.directory), files, force=False, hint="-o chooses another directory")
        self._report()
        self._say(written, files)
        return self._judge()

    def _files(self, answers: Answers) -> dict[str, str] | None:
        """None where the source cannot be read; the findings say why."""
        if answers.openapi and answers.fastapi:
            raise CommandError(ExitCode.USAGE, "--from-openapi and --from-fastapi exclude each other", "choose one")
        try:
            draft = begin(answers, self.platform, self.findings)
            return policies(draft, self.findings, together=self.platform is None)
        except ImportFailedError:
            return None
        except CodeError as error:
            hint = "name a directory with the service's code, or a module such as app.main"
            raise CommandError(ExitCode.USAGE, f"--from-fastapi {error}", hint) from error

    def _report(self) -> None:
        from gwc.imports.masking import masked_text
        from gwc.report.style import style_for
        from gwc.report.text import render_text

        texts = {name: masked_text(text) for name, text in self.findings.texts.items()}
        sys.stdout.write(render_text(self.findings.diagnostics, texts, style_for(sys.stdout)))

    def _say(self, written: tuple[str, ...], files: dict[str, str]) -> None:
        for name in written or files:
            sys.stdout.write(f"{'wrote' if written else 'unchanged:'} {Path(self.directory) / name}\n")
        where = "" if self.directory == "policies" else f" {self.directory}"
        flag = f" --policies {self.directory}" if where else ""
        secrets = "".join(f"{name}=... " for name in _secrets(files))
        sys.stdout.write(f"\nNext:\n  gwc lint{where}\n  gwc compile{flag}\n  {secrets}gwc run -t envoy{flag}\n")

    def _judge(self) -> ExitCode:
        """What lint has to say of the directory as it is now; errors alone fail."""
        from gwc.cli.linting import Linting
        from gwc.cli.now import parse_now

        linting = Linting((self.directory,), (), (), None, parse_now(None), None)
        linting.run()
        if linting.found:
            sys.stdout.write("\nWhat gwc lint finds:\n")
            return linting.publish("text", "error")
        return ExitCode.OK


def _secrets(files: dict[str, str]) -> list[str]:
    return sorted({name for text in files.values() for name in re.findall(r"\{env: ([A-Z0-9_]+)\}", text)})


def _platform(path: str) -> PlatformPolicy:
    report = Report()
    source = read_source(path, report)
    document = parse(source, report) if source else None
    loaded = load(document, None, report) if document else None
    if loaded is None or not isinstance(loaded.policy, PlatformPolicy):
        raise CommandError(ExitCode.FINDINGS, f"{path} is not valid", "gwc lint says what is wrong with it")
    return loaded.policy


def check(answers: Answers) -> None:
    """Raises CommandError."""
    check_endpoint(answers.endpoint)
    check_service(answers.service)
    if not re.fullmatch(r"[^\x00-\x1f\x7f]{0,400}", answers.owner):
        raise CommandError(ExitCode.USAGE, "--owner is not one line of text", "write a team's name")
    if not (answers.service or answers.openapi):
        raise CommandError(ExitCode.USAGE, "the service has no name", "write --service NAME")


def asked(answers: Answers, platform: PlatformPolicy | None) -> Answers:
    """With what somebody at a terminal says of what the flags leave open."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return answers
    if not answers.service:
        answers = replace(answers, service=_ask("Service", slug(Path.cwd().name), _name))
    if not answers.owner:
        answers = replace(answers, owner=_ask("Owner", f"team-{answers.service}", _line))
    if not (answers.openapi or answers.fastapi):
        described = next((name for name in _DESCRIPTIONS if Path(name).is_file()), "-")
        source = _ask("Routes from (an OpenAPI file, a directory of FastAPI code, or -)", described, _source)
        key = "fastapi" if Path(source).is_dir() else "openapi"
        answers = replace(answers, **({key: source} if source != "-" else {}))
    if not answers.endpoint:
        answers = replace(answers, endpoint=_ask("The service listens at", PLACEHOLDER, _endpoint))
    if not answers.auth and not answers.openapi and platform is None:
        answers = replace(answers, auth=_ask("Who may call it (api_key, jwt, none)", "api_key", _auth))
    return answers


def _ask(question: str, default: str, parse: Callable[[str], str]) -> str:
    try:
        answer: str = typer.prompt(question, default=default, value_proc=parse)
    except typer.Abort:  # an interrupt, or the end of what is typed
        raise KeyboardInterrupt from None
    return answer


def _name(text: str) -> str:
    if not LABEL.fullmatch(text):
        raise typer.BadParameter(f"a DNS label, such as {slug(text)}")
    return text


def _line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text).strip()[:400]


def _source(text: str) -> str:
    if text != "-" and not Path(text).exists():
        raise typer.BadParameter("there is no such file or directory; - for none")
    return text


def _endpoint(text: str) -> str:
    try:
        check_endpoint(text)
    except CommandError as error:
        raise typer.BadParameter(f"{error.message.removeprefix('--endpoint: ')}; {error.hint}") from error
    return text


def _auth(text: str) -> str:
    if text not in ("api_key", "jwt", "none"):
        raise typer.BadParameter("one of api_key, jwt and none")
    return text
