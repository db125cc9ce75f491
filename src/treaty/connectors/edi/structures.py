"""How the segments of a message nest: a segment that opens a group holds the segments of its group.

The notation names each segment of a level, and in parentheses what its group holds: ``LIN(PIA IMD PRI(CUX))``. Numbers of groups are not
used: they differ from one directory to the next, the segments that open them do not.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, TypeAlias

Structure: TypeAlias = "dict[str, Structure]"

DEEPEST = 20
PIECE = re.compile(r"\s*([A-Z][A-Z0-9]{1,2}|[()])\s*")

PARTY = "NAD(LOC FII MOA RFF(DTM) DOC(DTM) CTA(COM))"
ALLOWANCE = "ALC(ALI DTM FTX QTY(RNG) PCD(RNG) MOA(RNG CUX DTM) RTE(RNG) TAX(MOA LOC) RFF(DTM))"
TRANSPORT = "TDT(TSR LOC(DTM) RFF(DTM))"
TERMS = "PAT(DTM PCD MOA PAI FII) PYT(DTM PCD MOA PAI FII)"
PACKING = "PAC(MEA EQD PCI(RFF DTM GIN))"
HEADER = f"BGM DTM PAI ALI IMD FTX GIR LOC RFF(DTM GIR LOC MEA QTY FTX) {PARTY} TAX(MOA LOC) CUX(DTM) {TERMS} {TRANSPORT} TOD(LOC) {PACKING} {ALLOWANCE}"
LINE = (
    "PIA PGI IMD MEA QTY PCD ALI DTM MOA GIN GIR QVR EQD FTX DGS HAN DOC(DTM) CCI(CAV MEA) PAT(DTM PCD MOA) PYT(DTM PCD MOA) "
    f"PRI(CUX APR RNG DTM) RFF(DTM) {PACKING} LOC(QTY DTM) TAX(MOA LOC) {PARTY} {ALLOWANCE} {TRANSPORT} TOD(LOC) SCC(FTX RFF QTY(DTM))"
)

STRUCTURES = {
    "INVOIC": f"{HEADER} EQD(SEL) RCS(RFF DTM FTX) AJT(FTX) INP(FTX) EFI(CED COM RFF(DTM) DTM QTY) LIN({LINE} RCS(RFF DTM FTX) AJT(FTX)) "
    f"UNS(CNT MOA(RFF(DTM) CUX) TAX(MOA) {ALLOWANCE})",
    "ORDERS": f"{HEADER} EQD(HAN MEA FTX) SCC(FTX RFF QTY(DTM)) APR(DTM RNG) DGS(FTX CTA(COM)) LIN({LINE}) UNS(CNT MOA ALC(ALI MOA))",
    "810": "BIG NTE CUR REF YNQ PER N1(N2 N3 N4 REF PER DMG) ITD DTM FOB PID MEA PWK PKG L7 BAL INC PAM LM(LQ) N9(MSG) V1(R4 DTM) FA1(FA2) "
    "IT1(CRC QTY CUR IT3 TXI CTP PAM MEA PID(MEA) PWK PKG PO4 ITD REF PER SDQ DTM CAD L7 SR SAC(TXI) SLN(DTM REF PID SAC TC2 TXI) "
    "N1(N2 N3 N4 REF PER DMG) LM(LQ) V1(R4 DTM) FA1(FA2)) TDS(TXI CAD AMT SAC(TXI) ISS(PID)) CTT",
    "850": "BEG CUR REF PER TAX FOB CTP PAM CSH SAC(CUR) ITD DIS INC DTM LDT LIN SI PID MEA PWK PKG TD1 TD5 TD3 TD4 MAN PCT CTB TXI LM(LQ) AMT "
    "N9(DTM MSG) N1(N2 NX2 N3 N4 REF PER SI FOB TD1 TD5 TD3 TD4 PKG) SPI(REF DTM MSG) ADV(DTM MTX) "
    "PO1(LIN SI CUR CN1 PO3 CTP(CUR) PAM MEA PID(MEA) PWK PO4(MEA) REF PER SAC(CUR CTP) IT8 CSH ITD DIS INC TAX FOB SDQ DTM LDT(QTY MSG REF) "
    "TD1 TD5 TD3 TD4 PCT MAN MSG SPI TXI CTB TC2 QTY(SI) SCH(TD1 TD5 TD3 TD4 REF) PKG(MEA) LS LE N9(DTM MEA MSG) "
    "N1(N2 NX2 N3 N4 QTY REF PER SI DTM FOB SCH TD1 TD5 TD3 TD4 PKG LDT(MAN QTY MSG REF)) "
    "SLN(MSG SI PID PO3 TC2 ADV DTM CTP PAM PO4 TAX N9(DTM MSG) SAC(CUR CTP) QTY(SI) N1(N2 NX2 N3 N4 REF PER SI)) AMT(REF PCT) LM(LQ)) "
    "CTT(AMT)",
}


def parse_structure(text: str) -> Structure:
    """Return the tree that a text in the notation says. Raises ValueError with what is wrong, and where."""
    levels: list[Structure] = [{}]
    last: str | None = None
    at = 0
    while at < len(text):
        found = PIECE.match(text, at)
        if found is None:
            raise ValueError(f"{text[at : at + 10]!r} is no segment and no parenthesis")
        piece, at = found.group(1), found.end()
        if piece == "(":
            if last is None or len(levels) > DEEPEST:
                raise ValueError("a parenthesis follows no segment" if last is None else f"groups nest deeper than {DEEPEST}")
            levels.append(levels[-1][last])
            last = None
        elif piece == ")":
            if len(levels) == 1:
                raise ValueError("there is one `)` too many")
            levels.pop()
            last = None
        else:
            levels[-1].setdefault(piece, {})
            last = piece
    if len(levels) > 1:
        raise ValueError("there is one `)` too few")
    return levels[0]


@cache
def structure_of(message_type: str) -> Structure:
    """Return how the messages of a type nest; of an unknown one nothing does."""
    return parse_structure(STRUCTURES.get(message_type, ""))


class Nester:
    """Puts the segments of one message where they belong.

    A segment goes to the innermost open group that has one of its kind, which ends the groups within it; one that no open group has stays
    in the innermost.
    """

    def __init__(self, structure: Structure) -> None:
        self.root: dict[str, Any] = {}
        self._open: list[tuple[Structure, dict[str, Any]]] = [(structure, self.root)]

    def add(self, tag: str, values: dict[str, Any]) -> None:
        """Add the next segment of the message."""
        level = len(self._open) - 1
        while level >= 0 and tag not in self._open[level][0]:
            level -= 1
        if level >= 0:
            del self._open[level + 1 :]
        structure, holder = self._open[-1]
        holder.setdefault(tag, []).append(values)
        if below := structure.get(tag):
            self._open.append((below, values))
