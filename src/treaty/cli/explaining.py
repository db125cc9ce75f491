"""How an explanation is told to people: step by step, from the source's bytes to the delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import treaty
from treaty.cli.output import Output


def print_explanation(result: treaty.Explanation, output: Output) -> None:
    """Print an explanation: the value, its steps in order, whether it agrees with what is stored, and where the chain ends."""
    name = f"{result.model}.{result.field}" if result.field else result.model
    if not result.found:
        output.line(f"{name}: {result.ends}", "yellow")
        return
    output.title(f"{name} = {say(result.value)}")
    for number, step in enumerate(merge_landed(result.steps), 1):
        print_step(number, step, output)
    if result.agrees is None:
        output.line("What is stored is unknown: there is nothing to compare with.", "yellow")
    elif result.agrees:
        output.line("What is stored agrees.", "green")
    else:
        output.line(f"What is stored differs: {say(result.stored)}.", "bold red")
    output.line(result.ends)


def merge_landed(steps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the steps with neighbouring paths of one landed record told together."""
    merged: list[Mapping[str, Any]] = []
    for step in steps:
        last = merged[-1] if merged else {}
        together = step["step"] == last.get("step") == "landed" and step["landed_id"] == last["landed_id"] and step.get("element") == last.get("element")
        if together:
            merged[-1] = {**last, "paths": [*last["paths"], (step.get("path"), step.get("value"))]}
        elif step["step"] == "landed":
            merged.append({**step, "paths": [(step["path"], step["value"])] if "path" in step else []})
        else:
            merged.append(step)
    return merged


def print_step(number: int, step: Mapping[str, Any], output: Output, indent: str = "") -> None:
    """Print one step: what it is in the first line, what it is about in the next ones."""
    tell = TELLERS.get(step["step"], _tell_other)
    first, *rest = tell(step)
    output.line(f"{indent}{number}. {first}", "bold")
    for line in rest:
        output.line(f"{indent}   {line}")
    for inner, each in enumerate(step.get("steps", ()), 1):
        print_step(inner, each, output, indent + "   ")


def say(value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return "(empty)"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {say(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(say(each) for each in value) + "]"
    return repr(value) if isinstance(value, str) else str(value)


def _tell_landed(step: Mapping[str, Any]) -> list[str]:
    lines = [f"landed: {step['system']}/{step['stream']} {step.get('source_key') or step['landed_id']}"]
    place = [f"record {step['locator']}"]
    if step.get("line"):
        place.append(f"line {step['line']}")
    if step.get("byte") is not None:
        place.append(f"byte {step['byte']}")
    lines.append(f"{step.get('origin') or 'object'} ({', '.join(place)}), received {step['received_at']}")
    lines += [f"{path} = {say(value)}" for path, value in step["paths"]]
    if "who" in step:
        until = f" until {step['until']}" if step.get("until") else ""
        lines.append(f"corrected by {step['who']}{until}, because: {step['reason']}")
    return lines


def _tell_cell(step: Mapping[str, Any]) -> list[str]:
    return [f"cell: {step['field']}: {step['cell'] or '(not mapped)'}", f"in the mapping {step['mapping']}{_scope(step)} → {_outcome(step)}"]


def _tell_function(step: Mapping[str, Any]) -> list[str]:
    return [f"function: {step['function']}({', '.join(say(each) for each in step['input'])}) → {_outcome(step)}"]


def _tell_decision(step: Mapping[str, Any]) -> list[str]:
    lines = [f"decision: {step['id']}{_scope(step)}", step["title"], f"{say(step['input'])} → {_outcome(step)}"]
    if step.get("references"):
        lines[-1] = f"{say(step['input'])} of {step['references']} → {step['output'] or 'open: nothing has this value'}, where missing: {step['missing']}"
    if step.get("reason"):
        lines.append(f"because: {step['reason']}")
    if step.get("rejected"):
        lines.append(f"rejected: {'; '.join(step['rejected'])}")
    if step.get("who"):
        lines.append(f"decided by {', '.join(step['who'])} on {step['when']}")
    return lines


def _tell_edge_case(step: Mapping[str, Any]) -> list[str]:
    fired = "applies" if step["fired"] else "does not apply"
    lines = [f"edge case: {step['id']} {fired} ({step['treatment']})", step["title"]]
    if step["fired"]:
        lines.append(f"{say(step['input'])} → {_outcome(step)}")
        if step.get("reason"):
            lines.append(f"because: {step['reason']}")
    return lines


def _tell_contract(step: Mapping[str, Any]) -> list[str]:
    lines = [f"contract: {step['model']}.{step['field']} is {step['type']}{', required' if step['required'] else ''} → {_outcome(step)}"]
    if step.get("findings"):
        lines.append(f"the record is marked by {', '.join(step['findings'])}")
    return lines


def _tell_survivorship(step: Mapping[str, Any]) -> list[str]:
    by = step.get("decision") or "no decision: the latest wins"
    lines = [f"survivorship of {step['field']}: {by}"]
    if step.get("title"):
        lines.append(step["title"])
    for each in (step["winner"], *step["losers"]):
        if each is not None:
            verb = "won" if each is step["winner"] else "lost"
            lines.append(f"{verb}: {each['system']}/{each['stream']} {each['source_key']} with {say(each['value'])}")
    return lines


def _tell_delivery(step: Mapping[str, Any]) -> list[str]:
    lines = [f"delivery: {step['sink']}: {step['state']}"]
    if step.get("column"):
        lines.append(f"column {step['column']} = {say(step['value'])}, version {step['version']}")
    if step.get("message"):
        lines.append(step["message"])
    return lines


def _tell_other(step: Mapping[str, Any]) -> list[str]:
    return [step["step"], *(f"{name}: {say(value)}" for name, value in step.items() if name != "step")]


def _scope(step: Mapping[str, Any]) -> str:
    return " (this client's overlay)" if step.get("scope") == "overlay" else ""


def _outcome(step: Mapping[str, Any]) -> str:
    return f"fails: {step['fails']}" if step.get("fails") else say(step["output"])


TELLERS = {
    "landed": _tell_landed,
    "cell": _tell_cell,
    "function": _tell_function,
    "decision": _tell_decision,
    "edge-case": _tell_edge_case,
    "contract": _tell_contract,
    "survivorship": _tell_survivorship,
    "delivery": _tell_delivery,
}
