"""Which contribution's value a golden record shows, field by field or for fields that travel together.

A rule orders the contributions of one record: systems by name, then ``latest``, ``earliest`` or ``most-complete``. What no rule orders
goes to the latest. A null is no answer unless the rule says so. Corrections (the system ``steward``) come first, each for the fields it
gives, unless the rule places ``steward`` itself. Only records of several contributions come here; the losers keep their contributions.
"""

from __future__ import annotations

from collections.abc import Sequence

from treaty.lake.current import STEWARD
from treaty.lake.names import quote_name, quote_text
from treaty.project.declarations import FieldSurvivorship

LATEST = ("_source_version desc nulls last", "_received_at desc", "_landed_id desc")
EARLIEST = ("_source_version asc nulls last", "_received_at asc", "_landed_id asc")
CRITERIA = ("latest", "earliest", "most-complete")


def survivor_sql(relation: str, fields: Sequence[str], rules: Sequence[FieldSurvivorship], *, corrected: bool = True) -> str:
    """Select (_canonical_id, _winners, the fields) from ``relation``: contributions with the canonical id they belong to.

    One aggregate a rule picks the winner with its values; ``corrected`` says whether corrections may be among the contributions.
    """
    groups = effective_rules(fields, rules)
    orders = list(dict.fromkeys(order for rule in groups for order in _orders(rule, fields)))
    ranks = ", ".join(f"row_number() over (partition by _canonical_id order by {order}) as r{place}" for place, order in enumerate(orders))
    picks: list[str] = []
    values: list[str] = []
    winners: list[str] = []
    for number, rule in enumerate(groups):
        picks.append(f"{_pick(rule, fields, orders, corrected=corrected)} as p{number}")
        for name in rule.fields:
            value, winner = f"p{number}.{quote_name(name)}", f"p{number}._member_id"
            if corrected and STEWARD not in rule.prefer:
                picks.append(f"{_correction(name, orders)} as {quote_name('c ' + name)}")
                told = quote_name("c " + name)
                value, winner = f"if({told} is null, {value}, {told}.v)", f"if({told} is null, {winner}, {told}._member_id)"
            values.append(f"{value} as {quote_name(name)}")
            winners.append(f"({quote_text(name)}, {winner}::varchar)")
    return f"""
        select _canonical_id, to_json(map_from_entries(list_filter([{", ".join(winners)}], lambda each: each[2] is not null)))::varchar as _winners,
            {", ".join(values)}
        from (select _canonical_id, {", ".join(picks)} from (select *, {ranks} from {relation}) group by _canonical_id)"""


def effective_rules(fields: Sequence[str], rules: Sequence[FieldSurvivorship]) -> list[FieldSurvivorship]:
    """Return one rule for each field of the model: the first that names it, or the default; groups keep together."""
    taken: set[str] = set()
    found: list[FieldSurvivorship] = []
    for rule in rules:
        names = tuple(name for name in _plain(rule) if name in fields and name not in taken)
        if names:
            taken.update(names)
            found.append(FieldSurvivorship(fields=names, prefer=rule.prefer, null_is_answer=rule.null_is_answer))
    found.extend(FieldSurvivorship(fields=(name,), prefer=("latest",)) for name in fields if name not in taken)
    return found


def order_sql(rule: FieldSurvivorship, fields: Sequence[str]) -> str:
    """Return the ``order by`` that puts a rule's winner first."""
    parts: list[str] = []
    systems: list[str] = []
    for criterion in (*rule.prefer, ""):
        if criterion and criterion not in CRITERIA:
            systems.append(criterion)
            continue
        if systems:
            cases = " ".join(f"when {_is_system(name)} then {place}" for place, name in enumerate(systems))
            parts.append(f"case {cases} else {len(systems)} end")
            systems = []
        if criterion == "latest":
            parts.extend(LATEST)
        elif criterion == "earliest":
            parts.extend(EARLIEST)
        elif criterion == "most-complete":
            counted = rule.fields if len(rule.fields) > 1 else fields
            parts.append("(" + " + ".join(f"({quote_name(name)} is not null)::integer" for name in counted) + ") desc")
    return ", ".join([*parts, *LATEST])


def _orders(rule: FieldSurvivorship, fields: Sequence[str]) -> list[str]:
    return [order_sql(rule, fields), *([] if STEWARD in rule.prefer else [", ".join(LATEST)])]


def _pick(rule: FieldSurvivorship, fields: Sequence[str], orders: list[str], *, corrected: bool) -> str:
    """Return the aggregate that gives a struct of the winning member and its values for a rule's fields; null where nobody answers."""
    rank = f"r{orders.index(order_sql(rule, fields))}"
    conditions = [] if rule.null_is_answer else ["(" + " or ".join(f"{quote_name(each)} is not null" for each in rule.fields) + ")"]
    if corrected and STEWARD not in rule.prefer:
        conditions.append(f"_system <> '{STEWARD}'")
    kept = f" filter (where {' and '.join(conditions)})" if conditions else ""
    members = ", ".join(f"{quote_name(each)}: {quote_name(each)}" for each in rule.fields)
    return f"arg_min({{_member_id: _member_id, {members}}}, {rank}){kept}"


def _correction(name: str, orders: list[str]) -> str:
    """Return the aggregate that gives the latest correction of a field, if there is one."""
    field = quote_name(name)
    latest = f"r{orders.index(', '.join(LATEST))}"
    return f"arg_min({{_member_id: _member_id, v: {field}}}, {latest}) filter (where _system = '{STEWARD}' and {field} is not null)"


def _is_system(name: str) -> str:
    system, _, stream = name.partition("/")
    return f"_system = {quote_text(system)}" + (f" and _stream = {quote_text(stream)}" if stream else "")


def _plain(rule: FieldSurvivorship) -> list[str]:
    """Return a rule's top-level field names, whether written with the model's name or without."""
    return list(dict.fromkeys(name.rpartition(".")[2] for name in rule.fields))
