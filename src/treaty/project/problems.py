"""What the loader can find, by code, for the manual; what rules find, each rule says itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PROBLEMS: Mapping[str, str] = MappingProxyType(
    {
        "contract-invalid": "A data contract is not valid by the Open Data Contract Standard.",
        "contract-model": "A data contract describes no model, or several: one file describes one model.",
        "contract-type": "A property of a data contract has no physicalType, which gives Treaty's type.",
        "contract-version": "A data contract is of another version of the standard than v3.1.0.",
        "duplicate-id": "Two files, hooks or quality rules have one name.",
        "duplicate-key": "A key is written twice in one place; the first is kept.",
        "duplicate-property": "A property is described twice in one model.",
        "empty-file": "A file declares nothing.",
        "file-too-large": "A project file is larger than any configuration should be.",
        "hook-signature": "A hook's decorator has no signature that can be read without running it.",
        "hook-syntax": "A file of hooks is not Python.",
        "merge-key": "A YAML merge key (<<) is used; every setting is written where it holds.",
        "missing-setting": "A setting is missing that the file, or its kind of decision, must have.",
        "name-mismatch": "A decision or a model is named otherwise than its file.",
        "no-front-matter": "A decision record does not begin with its settings between two lines '---'.",
        "not-utf-8": "A file is not UTF-8.",
        "override-without-reason": "A file of the project takes the place of what a pack says and does not say why; a system that only has further streams needs no reason.",
        "packs-disagree": "Two packs, of which neither builds on the other, say different things under one name. Streams that both add to one system are no disagreement.",
        "pack-cycle": "Packs build on each other in a ring.",
        "quality-rule": "A quality rule for Treaty lacks its name or its expression.",
        "setting-of-other-kind": "A setting belongs to another kind of decision.",
        "unknown-file": "A file in a folder of the project is not read, because of its ending.",
        "unknown-folder": "A folder is not read, because of its name.",
        "unknown-override": "A client's file gives a reason to override something, and the standard has nothing of that name; the remedy names the nearest.",
        "unknown-pack": "A pack is named that neither ships with Treaty nor is a folder.",
        "unknown-setting": "A setting is not known; the remedy names the nearest that is.",
        "wrong-choice": "A setting has a value that is none of its choices.",
        "wrong-form": "A setting is not written in its form: a date, a duration, a signature.",
        "wrong-type": "A setting is a text where a list is wanted, and the like.",
        "yaml-alias": "A YAML anchor or alias is used; every value is written where it holds.",
        "yaml-depth": "A file is nested deeper than any configuration should be.",
        "yaml-documents": "A file holds more than one YAML document.",
        "yaml-key": "A key is a list or a table; keys are texts.",
        "yaml-syntax": "A file is not YAML.",
        "yaml-tag": "A YAML tag is used; configuration has no types of its own.",
    }
)
