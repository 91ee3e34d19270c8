"""Scripted edits of guidance/: each with the sentence that `ivig-fhir diff` must say, and whose cards must be named."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT


@dataclass(frozen=True)
class Edit:
    """Replacements (file, old, new); the change that must be told; the case file, and what must be said of cards.

    `cards`: (hook, what is said of the card) -> cases that must be named for it, by the end of their id.
    """

    name: str
    replace: tuple[tuple[str, str, str], ...]
    sentence: str
    case_file: str
    cards: dict[tuple[str, str], tuple[str, ...]]


def edited(folder: Path, edits: tuple[Edit, ...]) -> Path:
    """A copy of guidance/ with edits. Raises ValueError where an edit no longer fits."""
    target = folder / "guidance"
    shutil.copytree(ROOT / "guidance", target)
    for edit in edits:
        for name, old, new in edit.replace:
            path = target / name
            text = path.read_text("utf-8")
            if old not in text:
                raise ValueError(f"{edit.name}: {name} has no {old!r}")
            path.write_text(text.replace(old, new, 1), "utf-8")
    return target


_SCIG = (ROOT / "guidance" / "topics" / "cidp.yaml").read_text("utf-8")
_SCIG = _SCIG[_SCIG.index("- id: cidp-scig") : _SCIG.index("- id: cidp-maint")]
_LEMS = (ROOT / "guidance" / "topics" / "lems.yaml").read_text("utf-8")
_LEMS = _LEMS[_LEMS.index("- id: lems-ivig") :]

EDITS = (
    Edit(
        "direction",
        (
            (
                "topics/mmn.yaml",
                "direction: against\n  intervention: corticosteroids",
                "direction: for\n  intervention: corticosteroids",
            ),
        ),
        "mmn-steroid: direction: against → for",
        "mmn/mmn-steroid",
        {
            (
                "order-sign",
                'changes "Multifocal motor neuropathy" (mmn-steroid: applicable, against → applicable, for)',
            ): ("prednisone in confirmed disease is warned about", "the tablet is systemic"),
            ("order-sign", 'loses "Multifocal motor neuropathy" (info)'): (
                "a medicine without a readable code makes the rule conditional",
            ),
        },
    ),
    Edit(
        "unit removed",
        (("topics/cidp.yaml", _SCIG, ""),),
        'cidp-scig: unit removed: "Subcutaneous immunoglobulin may be an alternative" (for)',
        "cidp/cidp-scig",
        {
            ("patient-view", 'changes "CIDP" (cidp-scig: applicable, for → silent)'): (
                "with the chart open it speaks",
            ),
            ("order-sign", 'changes "CIDP" (cidp-scig: conditional, for → silent)'): (
                "a provisional disease is a condition",
                "a product for either route without a route is asked about",
            ),
        },
    ),
    Edit(
        "unit added",
        (("topics/lems.yaml", _LEMS, _LEMS + _LEMS.replace("- id: lems-ivig", "- id: lems-again")),),
        'lems-again: unit added: "Weak evidence that IVIG may help" (for)',
        "lems/lems-ivig",
        {
            (
                "order-select",
                'changes "Lambert-Eaton myasthenic syndrome" (lems-again: silent → applicable, for)',
            ): ("a selected order of IVIG opens it",),
            (
                "patient-view",
                'changes "Lambert-Eaton myasthenic syndrome" (lems-again: silent → conditional, for)',
            ): ("provisional disease is conditional", "a differential diagnosis is conditional"),
        },
    ),
    Edit(
        "criterion added",
        (
            (
                "topics/kawasaki.yaml",
                "  - {id: kawasaki-current, has-condition: kawasaki}\n",
                "  - {id: kawasaki-current, has-condition: kawasaki}\n  - {id: child, age: child}\n",
            ),
        ),
        'kd-ivig: criterion added: child "younger than 18 years †"',
        "kawasaki/kd-ivig",
        {
            ("patient-view", 'loses "Kawasaki disease" (info)'): ("an adult with the disease is told the same",),
            ("patient-view", 'changes "Kawasaki disease" (kd-ivig: applicable, for → conditional, for)'): (
                "without a birth date it stands",
            ),
        },
    ),
    Edit(
        "criterion removed",
        (
            ("topics/mg.yaml", "population: [mg-current, mild, no-exacerbation]", "population: [mg-current, mild]"),
            (
                "topics/mg.yaml",
                """  - id: no-exacerbation
    reads: "no exacerbation or crisis on record, not even in doubt"
    asks:
      fact: "Is there certainly no exacerbation and no crisis now?"
      reason: unconfirmed
    all:
    - {lacks-condition: mg-exacerbation}
    - {lacks-condition: mg-crisis}
  - id: mild
""",
                "  - id: mild\n",
            ),
        ),
        'mg-mild: criterion removed: no-exacerbation "no exacerbation or crisis on record, not even in doubt"',
        "mg/mg-mild",
        {
            ("order-sign", 'changes "Myasthenia gravis" (mg-mild: silent → applicable, insufficient-evidence)'): (
                "a crisis switches it off",
                "a suspected exacerbation switches it off as surely",
            ),
        },
    ),
    Edit(
        "criterion changed",
        (
            (
                "topics/gbs.yaml",
                "{observation: gbs-disability-scale, at-least: 3, at-most: 5, within: scale-days}",
                "{observation: gbs-disability-scale, at-least: 4, at-most: 5, within: scale-days}",
            ),
        ),
        "gbs-ivig-severe: criterion gbs-severe, in the same words: %gbsDisabilityScale: >= 3 → >= 4",
        "gbs/gbs-ivig-severe",
        {
            (
                "patient-view",
                'changes "Guillain-Barré syndrome" (gbs-ivig-severe: applicable, for → conditional, for)',
            ): ("grade 3 is severe",),
        },
    ),
    Edit(
        "code removed",
        (
            (
                "concepts/neuropathies.yaml",
                '    - {code: "E11.44", display: "Type 2 diabetes mellitus with diabetic amyotrophy", proof: "confirmed: CDC'
                ' tabular April 2026; VSAC; FY2019 set; 2021 set; 2025 set"}\n',
                "",
            ),
        ),
        'concept "Diabetic radiculoplexus neuropathy": code removed: ICD-10-CM E11.44 “Type 2 diabetes mellitus with'
        " diabetic amyotrophy” (taken in by other concepts of gbs, general, paraprotein, vasculitis)",
        "drpn/drpn-ivig",
        {
            ("patient-view", 'loses "Diabetic radiculoplexus neuropathy" (info)'): (
                "with the chart open while IVIG runs there is one",
            ),
            ("order-select", 'gains "General remarks" (info)'): ("while an order is chosen it stands as well",),
        },
    ),
    Edit(
        "code added",
        (
            (
                "concepts/neuromuscular.yaml",
                '  left-out:\n  - {system: icd-10, code: "G72.4", why: "any inflammatory myopathy without a place of its own"}\n',
                "",
            ),
            (
                "concepts/neuromuscular.yaml",
                '    sct:\n    - {code: "72315009"',
                '    icd-10:\n    - {code: "G72.4", display: "Inflammatory myopathy", proof: "single-source: WHO ICD-10 2019"}\n'
                '    sct:\n    - {code: "72315009"',
            ),
        ),
        'concept "Inclusion body myositis": code added: ICD-10 (WHO) G72.4 “Inflammatory myopathy” (taken in by other'
        " concepts of gbs, general, vasculitis)",
        "myositis/ibm-ivig",
        {
            ("order-sign", 'gains "Inflammatory myopathy" (info)'): (
                "the WHO code for any other inflammatory myopathy is not",
            ),
        },
    ),
    Edit(
        "dose",
        (
            ("topics/vasculitis.yaml", 'amount: {value: "2", unit: "g/kg"', 'amount: {value: "1", unit: "g/kg"'),
            ("topics/vasculitis.yaml", 'S4-037, value: "2", unit: "g/kg"', 'S4-037, value: "1", unit: "g/kg"'),
            ("topics/vasculitis.yaml", "title: 2 g/kg is printed", "title: 1 g/kg is printed"),
            (
                "statements/s4.yaml",
                "the IVIG dose to be considered\n    is 2 g/kg",
                "the IVIG dose to be considered\n    is 1 g/kg",
            ),
        ),
        "vasc-dose: stated dose: 2 g/kg → 1 g/kg",
        "vasculitis/vasc-dose",
        {
            ("order-sign", 'changes "Vasculitic neuropathy" (a figure in its text)'): (
                "the figure and the arithmetic stand together, with what they do not say",
                "no weight on record gives the figure alone",
            ),
        },
    ),
    Edit(
        "figure in a statement",
        (
            ("statements/s4.yaml", "79% versus", "97% versus"),
            ("topics/paraprotein.yaml", "79% against", "97% against"),
            ("topics/paraprotein.yaml", 'value: "79"', 'value: "97"'),
        ),
        "statement S4-057: figure in text: 79% → 97%",
        "paraprotein/wm-outcomes",
        {
            ("patient-view", 'changes "Paraproteinaemic neuropathy" (a figure in its text)'): (
                "with the chart open it stands",
            ),
        },
    ),
    Edit(
        "hook",
        (("topics/lupus.yaml", "hooks: [patient-view, encounter-start]", "hooks: [patient-view]"),),
        "sle-steroid: no longer speaks on encounter-start",
        "lupus/sle-steroid",
        {
            ("encounter-start", 'changes "Lupus and the nerves" (sle-steroid: applicable, none → silent)'): (
                "at the start of an encounter it stands",
            ),
        },
    ),
    Edit(
        "newer evidence",
        (("topics/postpolio.yaml", "  newer: [pps-against]\n", ""),),
        'pps-ivig: newer evidence removed: pps-against "IVIG is not recommended in postpolio syndrome, on Class I evidence'
        ' (AANEM consensus 2023)."',
        "postpolio/pps-ivig",
        {
            ("encounter-start", 'changes "Postpolio syndrome" (a figure in its text)'): (
                "at the start of an encounter while IVIG runs there is one",
            ),
        },
    ),
    Edit(
        "rating",
        (("topics/drpn.yaml", 'wording: "not enough evidence"', 'wording: "weak evidence"'),),
        'drpn-ivig: rating S2-076 (evidence-rating): "not enough evidence" → "weak evidence"',
        "drpn/drpn-ivig",
        {
            ("order-sign", 'changes "Diabetic radiculoplexus neuropathy" (drpn-ivig: rating)'): (
                "the SNOMED CT code is the disease",
                "amyotrophy in type 1 diabetes is the disease",
            ),
        },
    ),
    Edit(
        "sentence",
        (("topics/cart.yaml", "which is no window", "which is not a window"),),
        'cart-context: sentence: "… 57 days, which is no window [S4-023]: compare the …" → "… 57 days, which is not a window'
        ' [S4-023]: compare the …"',
        "cart/cart-context",
        {
            ("patient-view", 'changes "Neuropathy after CAR-T" (text)'): (
                "a drafted product is no infusion",
                "beside Guillain-Barré syndrome it stands with the other line",
            ),
        },
    ),
)
