"""Treaty: integration is modelling, not plumbing.

Everything the command line does is a function here, and gives a frozen result; records are Arrow tables:

    import treaty

    treaty.init("ledger", ["einvoice"])
    result = treaty.run("ledger")
    invoices = treaty.records("invoice", "ledger")

Importing ``treaty`` costs nothing: each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treaty.errors import DefectError as DefectError
    from treaty.errors import RetryError as RetryError
    from treaty.errors import SetAsideError as SetAsideError
    from treaty.errors import StopError as StopError
    from treaty.errors import TreatyError as TreatyError
    from treaty.errors import UsageError as UsageError
    from treaty.flows.dead_letters import Delivery as Delivery
    from treaty.flows.drifting import Drift as Drift
    from treaty.flows.results import RunResult as RunResult
    from treaty.hooks import hook as hook
    from treaty.lake.quarantine import QuarantineGroup as QuarantineGroup
    from treaty.lake.verify import VerifyResult as VerifyResult
    from treaty.matching.matcher import Correspondence as Correspondence
    from treaty.onboarding.proposing import FieldProposal as FieldProposal
    from treaty.onboarding.proposing import StreamProposal as StreamProposal
    from treaty.onboarding.questions import Question as Question
    from treaty.operations.apply import AppliedListing as AppliedListing
    from treaty.operations.apply import ApplyResult as ApplyResult
    from treaty.operations.apply import applies as applies
    from treaty.operations.apply import apply as apply
    from treaty.operations.check import CheckResult as CheckResult
    from treaty.operations.check import check as check
    from treaty.operations.correct import CorrectResult as CorrectResult
    from treaty.operations.correct import correct as correct
    from treaty.operations.coverage import coverage as coverage
    from treaty.operations.covering.results import CoverageResult as CoverageResult
    from treaty.operations.deciding.drafting import CodeListResult as CodeListResult
    from treaty.operations.deciding.drafting import DraftResult as DraftResult
    from treaty.operations.deciding.drafting import add_to_code_list as add_to_code_list
    from treaty.operations.deciding.drafting import draft_decision as draft_decision
    from treaty.operations.deciding.promoting import PromoteResult as PromoteResult
    from treaty.operations.deciding.promoting import promote as promote
    from treaty.operations.deliveries import SentAgainResult as SentAgainResult
    from treaty.operations.deliveries import deliveries as deliveries
    from treaty.operations.deliveries import replay_deliveries as replay_deliveries
    from treaty.operations.demo import DemoResult as DemoResult
    from treaty.operations.demo import demo as demo
    from treaty.operations.doctor import DoctorResult as DoctorResult
    from treaty.operations.doctor import doctor as doctor
    from treaty.operations.drift import drift as drift
    from treaty.operations.explain import Explanation as Explanation
    from treaty.operations.explain import explain as explain
    from treaty.operations.explain import explain_fields as explain_fields
    from treaty.operations.functions import FunctionsResult as FunctionsResult
    from treaty.operations.functions import functions as functions
    from treaty.operations.init import InitResult as InitResult
    from treaty.operations.init import init as init
    from treaty.operations.match import MatchResult as MatchResult
    from treaty.operations.match import match as match
    from treaty.operations.onboard import OnboardResult as OnboardResult
    from treaty.operations.onboard import onboard as onboard
    from treaty.operations.onboarding.progressing import OnboardingStatus as OnboardingStatus
    from treaty.operations.onboarding.progressing import onboarding_status as onboarding_status
    from treaty.operations.overlay import OverlayEntry as OverlayEntry
    from treaty.operations.overlay import OverlayResult as OverlayResult
    from treaty.operations.overlay import overlay as overlay
    from treaty.operations.plan import plan as plan
    from treaty.operations.planning.markdown import plan_markdown as plan_markdown
    from treaty.operations.planning.results import PlanResult as PlanResult
    from treaty.operations.quarantine import DiscardResult as DiscardResult
    from treaty.operations.quarantine import ReplayResult as ReplayResult
    from treaty.operations.quarantine import discard as discard
    from treaty.operations.quarantine import quarantine_groups as quarantine_groups
    from treaty.operations.quarantine import quarantine_records as quarantine_records
    from treaty.operations.quarantine import replay as replay
    from treaty.operations.reading import ReadArrival as ReadArrival
    from treaty.operations.reading import ReadRecord as ReadRecord
    from treaty.operations.reading import ReadRefusal as ReadRefusal
    from treaty.operations.reading import read_file as read_file
    from treaty.operations.reading import read_stream as read_stream
    from treaty.operations.records import records as records
    from treaty.operations.run import run as run
    from treaty.operations.schema import SchemaResult as SchemaResult
    from treaty.operations.schema import schema as schema
    from treaty.operations.signals import signals as signals
    from treaty.operations.stop import StopResult as StopResult
    from treaty.operations.stop import stop as stop
    from treaty.operations.test import ExamplesResult as ExamplesResult
    from treaty.operations.test import test as test
    from treaty.operations.trying import TryResult as TryResult
    from treaty.operations.trying import try_mapping as try_mapping
    from treaty.operations.verify import verify as verify
    from treaty.playbook.signals import Signal as Signal

_MODULES: dict[str, tuple[str, ...]] = {
    "errors": ("TreatyError", "UsageError", "StopError", "RetryError", "SetAsideError", "DefectError"),
    "hooks": ("hook",),
    "operations.check": ("check", "CheckResult"),
    "operations.coverage": ("coverage",),
    "operations.covering.results": ("CoverageResult",),
    "operations.doctor": ("doctor", "DoctorResult"),
    "operations.functions": ("functions", "FunctionsResult"),
    "operations.init": ("init", "InitResult"),
    "operations.match": ("match", "MatchResult"),
    "matching.matcher": ("Correspondence",),
    "operations.schema": ("schema", "SchemaResult"),
    "operations.stop": ("stop", "StopResult"),
    "operations.test": ("test", "ExamplesResult"),
    "operations.records": ("records",),
    "operations.reading": ("read_file", "read_stream", "ReadRecord", "ReadRefusal", "ReadArrival"),
    "operations.trying": ("try_mapping", "TryResult"),
    "operations.explain": ("explain", "explain_fields", "Explanation"),
    "operations.drift": ("drift",),
    "flows.drifting": ("Drift",),
    "operations.run": ("run",),
    "operations.plan": ("plan",),
    "operations.planning.results": ("PlanResult",),
    "operations.planning.markdown": ("plan_markdown",),
    "operations.apply": ("apply", "applies", "ApplyResult", "AppliedListing"),
    "operations.verify": ("verify",),
    "flows.results": ("RunResult",),
    "lake.verify": ("VerifyResult",),
    "operations.quarantine": ("quarantine_groups", "quarantine_records", "replay", "discard", "ReplayResult", "DiscardResult"),
    "lake.quarantine": ("QuarantineGroup",),
    "operations.deliveries": ("deliveries", "replay_deliveries", "SentAgainResult"),
    "flows.dead_letters": ("Delivery",),
    "operations.demo": ("demo", "DemoResult"),
    "operations.correct": ("correct", "CorrectResult"),
    "operations.onboard": ("onboard", "OnboardResult"),
    "operations.onboarding.progressing": ("onboarding_status", "OnboardingStatus"),
    "onboarding.proposing": ("FieldProposal", "StreamProposal"),
    "onboarding.questions": ("Question",),
    "operations.overlay": ("overlay", "OverlayResult", "OverlayEntry"),
    "operations.signals": ("signals",),
    "playbook.signals": ("Signal",),
    "operations.deciding.promoting": ("promote", "PromoteResult"),
    "operations.deciding.drafting": ("draft_decision", "add_to_code_list", "DraftResult", "CodeListResult"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOMES)  # noqa: PLE0605  one list of names, with the module of each


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'treaty' has no attribute {name!r}")
    value = getattr(import_module(f"treaty.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
