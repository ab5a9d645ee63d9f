"""Fixtures for the system tests: `reeve` is one whole service for one test (harness.py)."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402  (beside this file, which is not a package)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    """Lets the fixture know at its end whether the test passed."""
    outcome = yield
    setattr(item, "report_" + call.when, outcome.get_result())


@pytest.fixture
def new_reeve(request):
    """Makes services: new_reeve() for tests that need two, or none running at all."""
    made = []

    def make(**how):
        made.append(harness.Reeve(**how))
        return made[-1]

    yield make
    report = getattr(request.node, "report_call", None)
    passed = report is not None and report.passed
    wrong = []
    for one in made:
        wrong += one.close(passed)
    for one in made:
        if (not passed or wrong) and one.daemons:
            print(f"\n{one.logs}\nleft for a look: {one.base}")
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def reeve(new_reeve):
    """One service, not started: reeve.start() or reeve.start(slots=2, …)."""
    return new_reeve()
