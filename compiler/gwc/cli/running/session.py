"""One `gwc run`: started, watched, reloaded, ended."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.guard import say
from gwc.cli.progress import progress
from gwc.cli.running import telling, watch
from gwc.cli.running.attempt import Attempt, attempt
from gwc.cli.running.ending import Ending
from gwc.cli.running.local import addresses, check_free, unreachable
from gwc.cli.running.log import RequestLog
from gwc.cli.running.service import Service
from gwc.cli.running.tokens import DevIssuer
from gwc.cli.running.wanted import Wanted
from gwc.ir import Gateway
from gwc.serving import Place, Served, Serves

POLL = 0.4
"""Seconds between two looks at the policies: soon enough for somebody who has just saved one."""
SERVICE_TIMEOUT = 10.0
"""Seconds that a service gets until it listens."""
PATIENCE = 10.0
"""Seconds that requests in flight get when everything ends."""


class Session:
    """`ending` says when it is over."""

    def __init__(self, wanted: Wanted, ending: Ending) -> None:
        self._wanted, self._ending = wanted, ending
        self._issuer = DevIssuer() if wanted.dev_secrets else None
        self._service: Service | None = None
        self._public: frozenset[Path] = frozenset()

    def run(self) -> ExitCode:
        """Returns when a signal, the gateway or standard output has ended it. Raises CommandError."""
        self._seen = watch.fingerprint(self._wanted.policies, ())
        first = attempt(self._wanted, self._issuer)
        if self._ending.wanted:
            return self._ending.code
        if first.gateway is None or first.rendered is None:
            return first.job.publish(first.job.outcome, "nothing is served")
        check_free(first.gateway, frozenset())
        with TemporaryDirectory(prefix="gwc-run-") as scratch:
            return self._begin(first, first.gateway, Path(scratch))

    def _begin(self, first: Attempt, gateway: Gateway, scratch: Path) -> ExitCode:
        self._served_now = first
        self._watch_also(first)
        self._directory = scratch / "gateway"
        log = RequestLog(self._wanted.raw_log, lambda: self._ending.end(ExitCode.BROKEN_PIPE))
        served: Served | None = None
        try:
            self._service = Service(self._wanted.service) if self._wanted.service is not None else None
            served = self._start(first, log)
            telling.started(first, gateway, self._wanted, self._issuer)
            log.places = first.places
            log.start()
            self._wait_for_the_service(gateway)
            return self._until_it_ends(served, log)
        finally:
            self._end(served, log)

    def _start(self, first: Attempt, log: RequestLog) -> Served:
        assert first.rendered is not None and first.binary is not None, "it has been judged"
        engine = first.rendered.installed.target.engine
        if not isinstance(engine, Serves):
            raise CommandError(ExitCode.ENVIRONMENT, f"gwc cannot run {first.rendered.name}", "compile and start it")
        directory = first.put(self._directory).directory / first.rendered.name
        try:
            with progress(f"{first.rendered.name} starts"):
                return engine.serve(first.binary, Place(directory, {}, log.descriptor))
        except RuntimeError as error:
            raise CommandError(ExitCode.ENVIRONMENT, str(error)) from error

    def _wait_for_the_service(self, gateway: Gateway) -> None:
        """A service takes a moment to listen; one that listens elsewhere than the policies say is a common mistake.

        It need not be all of the services behind the gateway: the first endpoint that comes up is its own.
        """
        first = silent = unreachable(gateway)
        deadline = time.monotonic() + SERVICE_TIMEOUT
        while first == silent and self._service is not None and self._service.ended is None:
            if not first or time.monotonic() > deadline or self._ending.wait(POLL / 4):
                break
            silent = unreachable(gateway)
        telling.silent(silent)

    def _until_it_ends(self, served: Served, log: RequestLog) -> ExitCode:
        told = False
        while not self._ending.wait(POLL):
            if (why := served.ended) is not None:
                raise CommandError(ExitCode.ENVIRONMENT, f"{self._wanted.target} has ended: {why}")
            if not told and self._service is not None and (how := self._service.ended) is not None:
                say(f"{self._service.name} has ended ({how}); the gateway goes on without it")
                told = True
            self._look(served, log)
        return self._ending.code

    def _look(self, served: Served, log: RequestLog) -> None:
        """Reload when the policies have changed, and are the same for the time of a look: nobody is writing them."""
        now = watch.fingerprint(self._wanted.policies, self._public)
        files = watch.different(self._seen, now)
        if not files or now != self._after_a_moment():
            return
        self._seen = now
        began = time.monotonic()
        following = self._following(files)
        if following is None or self._ending.wanted:
            return
        if following.configuration == self._served_now.configuration:
            telling.unchanged(files)  # a reload is no small thing: an Envoy begins all counts anew
            self._served_now, log.places = following, following.places
        elif self._take_up(following, served, log):
            telling.reloaded(files, self._served_now, following, time.monotonic() - began)
            self._served_now = following

    def _after_a_moment(self) -> watch.Fingerprint:
        self._ending.wait(POLL / 4)
        return watch.fingerprint(self._wanted.policies, self._public)

    def _following(self, files: tuple[str, ...]) -> Attempt | None:
        """What the policies say now; None, and told, when that cannot be served."""
        try:
            following = attempt(self._wanted, self._issuer)
            self._watch_also(following)
            if following.gateway is not None and following.rendered is not None:
                assert self._served_now.gateway is not None
                ours = frozenset(str(one) for one, _ in addresses(self._served_now.gateway).values())
                check_free(following.gateway, ours)
                return following
            telling.refused(files, following)
        except CommandError as error:
            telling.failed(files, error)
        return None

    def _watch_also(self, found: Attempt) -> None:
        """The public files that the policies name; what they named before stays watched."""
        self._public |= frozenset(found.public)
        known = {name for name, _ in self._seen}
        now = watch.fingerprint(self._wanted.policies, self._public)
        self._seen = (*self._seen, *(pair for pair in now if pair[0] not in known))

    def _take_up(self, following: Attempt, served: Served, log: RequestLog) -> bool:
        """Whether the gateway serves it now. When it does not, its files are those of before again."""
        try:
            following.put(self._directory)
            with progress("reloading"):
                served.reload()
        except (CommandError, RuntimeError) as error:
            self._served_now.put(self._directory)
            telling.failed((), error)
            return False
        log.places = following.places
        return True

    def _end(self, served: Served | None, log: RequestLog) -> None:
        """A second signal ends the waiting, and nothing else: no process stays behind."""
        try:
            if served is not None:
                with progress("waiting for requests in flight"):
                    served.stop(PATIENCE)
        except KeyboardInterrupt:
            assert served is not None
            served.stop(0)
        finally:
            if self._service is not None:
                self._service.stop()
            log.close()
