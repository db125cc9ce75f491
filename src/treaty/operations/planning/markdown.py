"""A plan as the comment for a pull request: short, the worst first, samples folded."""

from __future__ import annotations

from treaty.lake.differences import Difference
from treaty.operations.planning.results import PlannedChange, PlanResult
from treaty.operations.shapes import shape

MARK = "<!-- treaty plan -->"  # by which a workflow finds the comment that it wrote before
MOST_CHANGES, MOST_ROWS, MOST_SAMPLES = 20, 10, 10
WORDS = {
    "changed": "changed", "added": "added", "removed": "removed", "into_quarantine": "into quarantine", "out_of_quarantine": "out of quarantine",
    "merged": "merged", "split": "split",
}  # fmt: skip


def plan_markdown(plan: PlanResult) -> str:
    """Return the comment. It begins with a mark by which it can be found and written anew."""
    if not plan.plan_id:
        return f"{MARK}\n**Treaty plan:** nothing is applied here yet; the first run applies the folder.\n"
    if not plan.changes:
        return f"{MARK}\n**Treaty plan:** no change of what runs.\n"
    lines = [MARK, f"**Treaty plan: {plan.plan_class}**" + ("" if plan.complete else " (no verdict: the comparison is not whole)"), ""]
    lines += [f"> {_text(each)}" for each in plan.undecided]
    if plan.undecided:
        lines.append("")
    for change in plan.changes[:MOST_CHANGES]:
        lines += _change(change)
    if len(plan.changes) > MOST_CHANGES:
        lines += [f"… and {len(plan.changes) - MOST_CHANGES} more changes.", ""]
    for title, notes in (("Redundant overrides", plan.redundant_overrides), ("Stale overrides", plan.stale_overrides)):
        if notes:
            lines += [f"**{title}**", ""]
            lines += [f"- {_text(each.client)}: {each.what} `{each.id}`{f' field `{each.field}`' if each.field else ''}: {each.text}" for each in notes]
            lines.append("")
    lines.append(f"`treaty apply {plan.plan_id}` does this, as long as nothing moves on.")
    return "\n".join(lines) + "\n"


def _change(change: PlannedChange) -> list[str]:
    lines = [f"### {change.what} `{change.id}`: {change.change_class}", ""]
    lines += [f"- {_text(each)}" for each in (*change.undecided, *change.notes)]
    if change.undecided or change.notes:
        lines.append("")
    if change.differences:
        lines += ["| client | model | records | fields | delivered values rewritten |", "|---|---|---|---|---|"]
        lines += [_row(each) for each in change.differences[:MOST_ROWS]]
        if len(change.differences) > MOST_ROWS:
            rest = change.differences[MOST_ROWS:]
            lines.append(f"| {len(rest)} more | | {sum(each.size for each in rest)} in all | | |")
        lines.append("")
    samples = [(each, one) for each in change.differences for one in each.samples][:MOST_SAMPLES]
    if samples:
        lines += ["<details><summary>Samples</summary>", "", "| client | record | field | before | after |", "|---|---|---|---|---|"]
        lines += [f"| {_text(each.client)} | `{one.id}` | {one.field} | {_value(one.before)} | {_value(one.after)} |" for each, one in samples]
        lines += ["", "</details>", ""]
    return lines


def _row(difference: Difference) -> str:
    records = ", ".join(f"{number} {WORDS[name]}" for name, number in difference.records.items() if number) or "none"
    fields = ", ".join(f"{name} {number}" for name, number in sorted(difference.fields.items(), key=lambda each: -each[1])[:6])
    rewrites = ", ".join(f"{name} {number}" for name, number in difference.rewrites.items())
    return f"| {_text(difference.client)} | {difference.model} | {records} | {fields} | {rewrites} |"


def _value(value: object) -> str:
    return "" if value is None else _text(str(shape(value)))[:200]


def _text(text: str) -> str:
    """Return a text that nothing in a comment reads as markup: what records say is not ours."""
    for mark in "\\`*_{}[]<>|#!@":
        text = text.replace(mark, f"&#{ord(mark)};")
    return " ".join(text.split())
