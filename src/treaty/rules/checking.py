"""All rules, and the check of a whole project."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from treaty.project.findings import Finding, sort_findings
from treaty.project.loading import Project
from treaty.project.yaml import wrap_position
from treaty.rules import compiled, decisions, mappings, models, names, overlays, secrets, systems
from treaty.rules.compiled import CompiledRule, compile_findings
from treaty.rules.interface import CheckedProject, ExampleRunner, Rule

RULES: tuple[type[Rule], ...] = (
    names.UnknownSystem,
    names.UnknownStream,
    names.UnknownModel,
    names.UnknownField,
    names.UnknownDecision,
    names.UnknownMapping,
    names.UnknownClient,
    names.UnknownOwner,
    names.UnknownQualityRule,
    decisions.NoOutcome,
    decisions.ReviewOverdue,
    decisions.NoSuchDay,
    decisions.EmptyPeriod,
    decisions.OverlappingDecisions,
    decisions.EdgeCaseNotListed,
    decisions.ValueMapWithoutOtherwise,
    decisions.UnusedDecision,
    decisions.CircularDecisions,
    decisions.MissingExamples,
    decisions.ExampleOfOtherShape,
    decisions.SupersededWithoutSuccessor,
    decisions.WeakIdentityOnly,
    decisions.ExampleFailed,
    models.UnknownType,
    models.AmountWithoutCurrency,
    models.ModelWithoutIdentity,
    models.StubTarget,
    mappings.HiddenDecision,
    mappings.UncoveredField,
    mappings.FieldSource,
    mappings.SinkWithoutKey,
    mappings.OutboundOnly,
    mappings.SinkMode,
    mappings.SinkBaseline,
    mappings.IdleMapping,
    mappings.LookupCycle,
    mappings.FlowCycle,
    systems.DeletesWithoutKey,
    systems.TombstoneWithoutCondition,
    systems.SharedSystemNotTold,
    systems.UnknownZone,
    systems.UnknownConnector,
    systems.ConnectorSetting,
    systems.PlainSecret,
    secrets.LiteralSecret,
    overlays.OverlayWithoutReason,
    overlays.OverlaySignature,
    overlays.UnusedOverride,
    overlays.ClientWithoutFlow,
    overlays.ClientsShareSinkRows,
    compiled.UnknownFunction,
    compiled.DecisionNotRunning,
    compiled.ImpureHook,
    compiled.BadCell,
    compiled.TypeMismatch,
    compiled.EffectiveDateCycle,
    compiled.NoLookupKey,
    compiled.NotAReference,
    compiled.UnknownName,
    compiled.UnknownMember,
    compiled.WrongArguments,
    compiled.BadArgument,
    compiled.NotAConstant,
    compiled.BadExpression,
    compiled.NotAllowed,
    compiled.SourceNotAllowed,
    compiled.BadLiteral,
    compiled.BadSignature,
    compiled.ShadowedFunction,
    compiled.AmbiguousValue,
)


def check_project(project: Project, as_of: date | None = None, run_examples: ExampleRunner | None = None) -> tuple[Finding, ...]:
    """Return all problems of a project: those of loading it, and those that rules find.

    ``as_of`` is the day for what depends on it (reviews); ``run_examples`` runs examples of decisions on an engine, and
    without it none is run. Never raises for what a project says.
    """
    checked = CheckedProject(project, as_of, run_examples)
    own = [*project.findings, *(finding for rule in RULES if not issubclass(rule, CompiledRule) for finding in rule().check(checked))]
    placed = [_placed(each, project) for each in own]
    known = {(each.code, each.position) for each in placed}
    for each in (_placed(finding, project) for finding in compile_findings(checked)):
        if (each.code, each.position) not in known:
            known.add((each.code, each.position))
            placed.append(each)
    return sort_findings(placed)


def _placed(finding: Finding, project: Project) -> Finding:
    """Return a finding whose place was counted on along a text with the place in the file."""
    return replace(finding, position=wrap_position(finding.position, project.files.get(finding.position.file)))
