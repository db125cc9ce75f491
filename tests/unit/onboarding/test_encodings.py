"""The code page of a text that is no UTF-8."""

from __future__ import annotations

import pytest

from treaty.onboarding.encodings import guess_encoding


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Größe;Straße;Änderung\nMüller;Königsallee 5;3 m²\n", "cp1252"),
        ("Société;Prénom;État\nLumière d'Été;Gaël;«créé»\n", "cp1252"),
        ("Año;Teléfono;¿Activo?\nPeña & Núñez;№;1.º\n".replace("№", "n.º"), "cp1252"),
        ("Termin płatności;Wartość netto;Do zapłaty\nŻółw;Łódź Handel;Kraków\n", "cp1250"),
        ("Название;Город\nООО Ромашка;Москва\n", "cp1251"),
    ],
)
def test_the_code_page_is_the_one_with_words(text: str, encoding: str) -> None:
    """Western, Polish and Russian exports of Windows are told apart by what their words look like."""
    assert encoding == guess_encoding(text.encode(encoding))
