"""The rule that finds credentials in any file of a project, by the detectors of detect-secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from treaty.project.files import shipped_packs
from treaty.project.findings import Finding, Position
from treaty.rules.interface import CheckedProject, Rule

# Detectors of credentials that have a form of their own; those that guess by entropy or by a word nearby are left out.
DETECTORS = (
    "ArtifactoryDetector", "AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector", "CloudantDetector", "DiscordBotTokenDetector",
    "GitHubTokenDetector", "GitLabTokenDetector", "IbmCosHmacDetector", "JwtTokenDetector", "MailchimpDetector", "NpmDetector", "OpenAIDetector",
    "PrivateKeyDetector", "PypiTokenDetector", "SendGridDetector", "SlackDetector", "SquareOAuthDetector", "StripeDetector",
    "TelegramBotTokenDetector", "TwilioKeyDetector",
)  # fmt: skip
# A line without any of these holds nothing that the detectors know, so that they need not be loaded for it.
CANDIDATE = re.compile(
    r"-----BEGIN|://[^\s/:@]+:[^\s@]+@|\b(AKIA|ASIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|A3T)|AccountKey=|\bgh[pousr]_|\bglpat-|\bgl[a-z]+-|\beyJ|_authToken|"
    r"\bsk-|\bpypi-|\bSG\.|\bxox|hooks\.slack\.com|\bsq0csp|\b[rs]k_live_|\bAC[a-z0-9]{32}|\bSK[a-z0-9]{32}|[0-9a-z]{32}-us[0-9]|"
    r"\b[0-9]{8,10}:[0-9A-Za-z_-]{35}|\bAKC|\bAP[0-9A-F]|[MNO][A-Za-z0-9_-]{23,25}\.[\w-]{6}\.|cloudant|hmac"
)


class LiteralSecret(Rule):
    """A credential in a file."""

    code = "literal-secret"
    title = "A file holds a credential"
    why = "Whoever reads the project, and its history in git, has it; packs and applied projects would carry it on."
    remedy = "Write a reference instead: env:NAME, file:/path or keyring:service/user. Then change the secret, for it has been seen."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        shipped = tuple(f"packs/{name}/" for name in shipped_packs())
        for file, content in checked.project.files.items():
            if file.startswith(shipped):
                continue
            for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
                if CANDIDATE.search(line):
                    yield from self.line(file, number, line)

    def line(self, file: str, number: int, line: str) -> Iterator[Finding]:
        """Yield a finding for each place of a line that holds a credential; the message never shows it."""
        for column, kind in sorted(_secrets(line).items()):
            yield self.finding(f"this looks like a credential: {kind}", Position(file, number, column))


def _secrets(line: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for plugin in _plugins():
        for text in plugin.analyze_string(line):
            if text and not text.startswith(("env:", "file:", "keyring:", "{client}")):
                found.setdefault(line.find(text) + 1, str(plugin.secret_type))
    return found


@cache
def _plugins() -> tuple[Any, ...]:
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.settings import transient_settings

    with transient_settings({"plugins_used": [{"name": name} for name in DETECTORS]}):
        classes: list[Any] = list(get_mapping_from_secret_type_to_class().values())
        return tuple(each() for each in classes if each.__name__ in DETECTORS)
