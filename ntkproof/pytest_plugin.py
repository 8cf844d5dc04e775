"""A pytest plugin that collects certificates (``*.cert.json``) as tests, and a fixture for claims.

`establish_claim` runs the test of a `ntkproof.literature.Claim`, and fails unless its verdict is the one registered.

Certificates are left alone unless a project asks for them: ``pytest --ntkproof``, or ``ntkproof_certificates = true``
in the ini file.  A certificate passes when its verdict is ``valid``; ``ntkproof_allow_holey = true`` lets ``holey``
pass too.  ``ntkproof_expectations = FILE`` names a TOML file (`ntkproof.expectations`) of what certificates must say at
least: replacing one by a weaker one, or by one about other data, fails, and so does one of them that is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ntkproof.literature import Claim, Outcome


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the flag and the ini options."""
    group = parser.getgroup("ntkproof")
    group.addoption("--ntkproof", action="store_true", help="collect *.cert.json certificates as tests")
    group.addoption("--ntkproof-engine", choices=("fast", "reference"), help="the arithmetic to check with")
    parser.addini("ntkproof_certificates", "collect *.cert.json certificates as tests", type="bool", default=False)
    parser.addini("ntkproof_engine", "the arithmetic to check with: fast or reference", default="fast")
    parser.addini("ntkproof_expectations", "a TOML file: what certificates must say at least", default="")
    parser.addini("ntkproof_allow_holey", "a proof that rests on assumptions passes", type="bool", default=False)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a certificate if the project asked for it."""
    config = parent.config
    wanted = config.getoption("--ntkproof") or config.getini("ntkproof_certificates")
    if wanted and file_path.name.endswith(".cert.json"):
        collector: CertificateFile = CertificateFile.from_parent(parent, path=file_path)
        return collector
    return None


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a file of expectations that cannot be read, or that names a certificate that is not there."""
    from ntkproof.checker.logic.numbers import InputError

    if config.getini("ntkproof_expectations"):
        try:
            missing = [path for path in expected_of(config) if not path.is_file()]
        except InputError as error:
            raise pytest.UsageError(str(error)) from None
        if missing:
            raise pytest.UsageError(f"ntkproof_expectations: there is no {missing[0]}")


def expected_of(config: pytest.Config) -> dict[Path, dict[str, Any]]:
    """Return what the project expects of its certificates, by path."""
    from ntkproof.expectations import read_expectations

    name = config.getini("ntkproof_expectations")
    return read_expectations(config.rootpath / name) if name else {}


@pytest.fixture
def establish_claim() -> Callable[[Claim], Outcome]:
    """Return a function that runs a claim and fails the test if its verdict is not the registered one."""
    from ntkproof.literature import run

    def establish(claim: Claim) -> Outcome:
        outcome = run(claim)
        if not outcome.unchanged:
            better = f"\n  corrected form: {outcome.better_evidence}" if outcome.better_evidence else ""
            pytest.fail(
                f"{claim.id} ({claim.place}): registered as {claim.verdict}, found {outcome.verdict}\n"
                f"  {outcome.evidence}{better}",
                pytrace=False,
            )
        return outcome

    return establish


class CertificateFile(pytest.File):
    """A certificate file: one test."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the one test."""
        yield CertificateItem.from_parent(self, name="certificate")


class CertificateItem(pytest.Item):
    """The test that a certificate is valid."""

    def runtest(self) -> None:
        """Check the certificate."""
        from ntkproof.checker import check  # imported only when a certificate is run
        from ntkproof.expectations import unmet
        from ntkproof.show.lines import shown

        engine = self.config.getoption("--ntkproof-engine") or self.config.getini("ntkproof_engine")
        verdict = check(self.path, engine=engine)
        if not (verdict.valid or (verdict.verdict == "holey" and self.config.getini("ntkproof_allow_holey"))):
            raise CertificateError(verdict)
        wrong = unmet(verdict, expected_of(self.config).get(self.path.resolve(), {}))
        if wrong:
            pytest.fail(f"not as expected: {shown(wrong)}", pytrace=False)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show a rejected certificate in a few lines, anything else as pytest does."""
        if isinstance(excinfo.value, CertificateError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Name the test by its file."""
        return self.path, None, f"certificate {self.path.name}"


class CertificateError(Exception):
    """The certificate is not valid."""

    def __init__(self, verdict: Any) -> None:
        from ntkproof.show.lines import shown

        place = f"step {verdict.step} ({verdict.rule}): " if verdict.step else ""
        detail = f"\n  needed:  {shown(verdict.needed)}" if verdict.needed else ""
        detail += f"\n  derived: {shown(verdict.derived)}" if verdict.derived else ""
        assumed = "".join(f"\n  rests on: {text}" for text in verdict.assumptions)
        super().__init__(f"{verdict.verdict}: {place}{shown(verdict.reason)}{detail}{assumed}")
