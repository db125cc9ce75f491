"""Pairs for fitting, written for it: business fields as different systems and languages spell them, with made values.

Nothing here comes from the material that the matcher is measured on. A pair is one of the tables below, spelled twice by two different
"vendors" (columns of the table, letter case, prefixes, left-out fields, columns that the other side lacks), with the same records, with
different records, or with records on one side only.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from treaty.matching.names import split_words
from treaty.matching.profiles import FieldProfile, StreamProfile, profile_values

# table: field, kind of value, spellings by different vendors (| parts them)
TABLES: dict[str, str] = {
    "customer": """
id:key:id|customer_id|CustNo|Kundennummer|code_client|client_id|AccountNumber
name:company:name|customer_name|CompanyName|Firma|raison_sociale|ragione_sociale|legal_name|Kundenname
email:email:email|email_address|EMail|primaryEmail|courriel|correo|contact_email
phone:phone:phone|phone_number|Telefon|tel|telephone|telefono|work_phone
vat:vat:vat_id|tax_number|USt-IdNr|num_tva|partita_iva|btw_nummer|vat_registration
street:street:street|address_line_1|Strasse|adresse|indirizzo|BillingStreet|addr1
street2:maybe:street_2|address_line_2|Adresszusatz|complement|addr2|BillingStreet2
city:city:city|town|Ort|ville|citta|BillingCity|localidad
zip:zip:postal_code|zip|PLZ|code_postal|cap|BillingPostalCode|postcode
country:country:country|country_code|Land|pays|paese|BillingCountryCode
currency:currency:currency|currency_code|Waehrung|devise|valuta|curr
limit:amount:credit_limit|CreditLimit|Kreditlimit|plafond|limite_credito
terms:terms:payment_terms|terms|Zahlungsbedingung|conditions_paiement|PaymentTermsCode
created:instant:created_at|created|createdDate|angelegt_am|date_creation|insert_ts|registered_on
updated:instant:updated_at|modified|LastModifiedDate|geaendert_am|date_modification|change_ts
active:bool:active|is_active|aktiv|enabled|actif|status_active
deleted:bool:is_deleted|deleted|archived|geloescht|IsArchived""",
    "contact": """
id:number:id|contact_id|ContactID|Kontaktnummer|vid
first:first:first_name|firstname|FirstName|Vorname|prenom|nombre|given_name
last:last:last_name|lastname|LastName|Nachname|nom|apellidos|family_name
full:fullname:full_name|display_name|Name|nom_complet|contact_name
email:email:email|work_email|E-Mail|mail|correo_electronico|email_address
phone:phone:phone|telephone|Telefon|tel_direct|telefono|business_phone
mobile:phone:mobile|mobile_phone|Handy|portable|movil|cell
title:jobtitle:job_title|jobtitle|Position|fonction|cargo|function_title
company:key:company_id|account_id|FirmaNr|societe_id|empresa_id|organization_id
owner:number:owner_id|assigned_to|Bearbeiter|responsable_id|owner_user
birth:date:birthdate|date_of_birth|Geburtsdatum|date_naissance|fecha_nacimiento
source:code:lead_source|source|Quelle|origine|origen|origin_channel
created:instant:created_at|createdate|erstellt|date_creation|created_time
updated:instant:updated_at|lastmodified|geaendert|date_maj|modified_time
unsub:bool:unsubscribed|opt_out|abgemeldet|desinscrit|do_not_email""",
    "invoice": """
id:doc:id|invoice_id|InvoiceID|Belegnummer|facture_id|doc_entry
number:docno:number|invoice_number|InvoiceNo|Rechnungsnummer|numero_facture|num_factura|doc_num
date:date:issue_date|invoice_date|Rechnungsdatum|date_facture|fecha_factura|data_fattura|doc_date
due:date:due_date|payment_due|Faelligkeitsdatum|echeance|vencimiento|scadenza|due_on
customer:key:customer_id|client|Kunde|id_client|cliente_id|bill_to_customer
currency:currency:currency|currency_code|Waehrung|devise|moneda|doc_currency
net:amount:net_amount|subtotal|Nettobetrag|montant_ht|base_imponible|total_excl_tax
tax:amount:tax_amount|tax|MwSt-Betrag|montant_tva|cuota_iva|total_tax
total:amount:total|total_amount|Bruttobetrag|montant_ttc|importe_total|grand_total|amount_total
paid:amount:amount_paid|paid|bezahlt|montant_paye|importe_pagado|paid_to_date
due_amount:amount:amount_due|balance|offener_Betrag|solde|saldo|balance_due
status:status:status|state|Status|statut|estado|invoice_status
note:text:notes|memo|Bemerkung|commentaire|observaciones|remarks
order:docno:order_id|po_number|Bestellnummer|num_commande|pedido|purchase_order
paid_at:instant:paid_at|payment_date|bezahlt_am|date_paiement|fecha_pago
period_start:date:period_start|service_from|Leistungszeitraum_von|debut_periode|inicio_periodo
period_end:date:period_end|service_to|Leistungszeitraum_bis|fin_periode|fin_periodo
created:instant:created_at|created|erstellt_am|date_creation|creado|entry_date""",
    "order_line": """
id:number:id|line_id|LineNum|Positionsnummer|ligne_id|linea_id
order:docno:order_id|order_number|Auftragsnummer|num_commande|pedido_id|doc_num
product:sku:sku|product_code|Artikelnummer|ref_article|codigo_articulo|item_code
text:words:description|product_name|Bezeichnung|designation|descripcion|item_description
quantity:int:quantity|qty|Menge|quantite|cantidad|ordered_qty
unit:unit:unit|uom|Mengeneinheit|unite|unidad|unit_code
price:amount:unit_price|price|Einzelpreis|prix_unitaire|precio_unitario|price_each
discount:percent:discount|discount_percent|Rabatt|remise|descuento|disc_prcnt
tax_rate:percent:tax_rate|vat_percent|Steuersatz|taux_tva|tipo_iva|vat_rate
net:amount:net_amount|line_total|Nettobetrag|montant_ht|importe|amount
warehouse:code:warehouse|warehouse_code|Lager|entrepot|almacen|whs_code
delivery:date:delivery_date|ship_date|Lieferdatum|date_livraison|fecha_entrega|requested_date
position:small:position|line_number|Pos|ligne|linea|sort_order""",
    "product": """
id:number:id|product_id|ProductID|Artikel_ID|id_produit|item_id
sku:sku:sku|code|Artikelnummer|reference|codigo|item_code
name:words:name|title|Bezeichnung|nom|nombre|product_name
description:text:description|long_description|Beschreibung|descriptif|descripcion|body_html
price:amount:price|list_price|Listenpreis|prix_vente|precio|unit_amount
cost:amount:cost|cost_price|Einkaufspreis|prix_achat|coste|purchase_price
currency:currency:currency|currency_code|Waehrung|devise|moneda
stock:int:stock|stock_quantity|Bestand|quantite_stock|existencias|qty_on_hand
weight:decimal:weight|weight_kg|Gewicht|poids|peso|gross_weight
barcode:ean:barcode|ean|EAN-Code|code_barres|gtin
category:code:category|product_type|Warengruppe|categorie|familia|item_group
active:bool:active|is_active|aktiv|actif|activo|published
vendor:company:vendor|supplier_name|Lieferant|fournisseur|proveedor|manufacturer
url:url:url|web_link|Webseite|lien|enlace|product_url
image:url:image_url|image|Bild|photo|imagen|picture_link
created:instant:created_at|created|angelegt|date_creation|fecha_alta
updated:instant:updated_at|modified|geaendert|date_modification|fecha_modificacion""",
    "ticket": """
id:number:id|ticket_id|CaseNumber|Vorgangsnummer|numero_ticket|case_id
subject:words:subject|title|Betreff|objet|asunto|summary
body:text:description|body|Beschreibung|contenu|descripcion|content
status:status:status|state|Status|statut|estado|case_status
priority:priority:priority|urgency|Prioritaet|priorite|prioridad|severity
requester:number:requester_id|customer_id|Kunde|demandeur_id|solicitante|contact_id
assignee:number:assignee_id|owner_id|Bearbeiter|agent_id|asignado|assigned_user
group:number:group_id|team_id|Gruppe|equipe_id|grupo|queue_id
channel:code:channel|via|Kanal|canal|origin|source_channel
email:email:requester_email|email|E-Mail|courriel_demandeur|from_address
created:instant:created_at|opened|erstellt|date_creation|created_timestamp
updated:instant:updated_at|last_update|geaendert|date_maj|updated_timestamp
solved:instant:solved_at|closed_at|geloest_am|date_cloture|closed_date|resolved_on
due:instant:due_at|deadline|faellig_am|echeance|sla_due
satisfaction:small:satisfaction_score|rating|Bewertung|note_satisfaction|csat
tags:code:tags|labels|Schlagworte|etiquettes|etiquetas""",
    "payment": """
id:doc:id|payment_id|PaymentID|Zahlungsnummer|paiement_id|transaction_id
invoice:docno:invoice_id|applied_to|Rechnung|facture_id|factura_id|doc_ref
amount:amount:amount|payment_amount|Betrag|montant|importe|value
refunded:amount:amount_refunded|refunded_amount|erstattet|montant_rembourse|importe_devuelto
fee:amount:fee|processing_fee|Gebuehr|frais|comision|charges
currency:currency:currency|ccy|Waehrung|devise|moneda
method:code:payment_method|method|Zahlungsart|mode_paiement|forma_pago|pay_type
date:date:payment_date|date|Zahlungsdatum|date_paiement|fecha_pago|value_date
iban:iban:iban|account_number|IBAN|compte|cuenta|bank_account
reference:docno:reference|payment_reference|Verwendungszweck|libelle|referencia|end_to_end_id
status:status:status|state|Status|statut|estado
payer:company:payer_name|customer_name|Zahler|payeur|pagador
captured:bool:captured|is_captured|gebucht|encaisse
reversed:bool:reversed|is_reversed|storniert|annule
created:instant:created|created_at|erfasst|date_creation""",
    "subscription": """
id:doc:id|subscription_id|Abonummer|abonnement_id|contract_id
customer:key:customer_id|customer|Kunde|client_id|account_id
plan:code:plan|plan_id|Tarif|formule|price_id
status:status:status|state|Status|statut|subscription_state
start:date:start_date|started_at|Beginn|date_debut|activation_date
end:date:end_date|ended_at|Ende|date_fin|expiry_date
trial_end:date:trial_end|trial_ends_at|Testphase_bis|fin_essai
cancel:instant:canceled_at|cancelled_on|gekuendigt_am|date_resiliation|cancellation_time
quantity:small:quantity|seats|Anzahl|quantite|licenses
amount:amount:amount|price|Betrag|montant|mrr
currency:currency:currency|currency_code|Waehrung|devise
interval:code:interval|billing_cycle|Intervall|periodicite|billing_period
renew:bool:auto_renew|renews|automatische_Verlaengerung|reconduction
created:instant:created_at|created|angelegt|date_creation
updated:instant:updated_at|changed|geaendert|date_maj""",
    "employee": """
id:number:id|employee_id|Personalnummer|matricule|codigo_empleado|worker_id
first:first:first_name|given_name|Vorname|prenom|nombre|fname
last:last:last_name|family_name|Nachname|nom_famille|apellidos|lname
email:email:email|work_email|E-Mail|mail_pro|correo
phone:phone:phone|work_phone|Telefon|tel_bureau|telefono
department:code:department|dept|Abteilung|service|departamento|dept_code
title:jobtitle:title|job_title|Stelle|poste|puesto
manager:number:manager_id|reports_to|Vorgesetzter|responsable|jefe
hired:date:hire_date|start_date|Eintrittsdatum|date_embauche|fecha_alta
left:date:termination_date|end_date|Austrittsdatum|date_sortie|fecha_baja
salary:amount:salary|base_pay|Gehalt|salaire|salario
gender:code:gender|sex|Geschlecht|sexe|sexo
country:country:country|country_code|Land|pays|pais
active:bool:active|is_active|aktiv|actif|activo""",
    "shipment": """
id:doc:id|shipment_id|Sendungsnummer|expedition_id|envio_id|delivery_id
order:docno:order_id|order_number|Auftragsnummer|commande|pedido|sales_order
carrier:code:carrier|shipping_carrier|Spediteur|transporteur|transportista|carrier_code
tracking:doc:tracking_number|tracking|Paketnummer|numero_suivi|seguimiento|awb
name:fullname:ship_to_name|shipping_name|Empfaenger|destinataire|destinatario|recipient
street:street:shipping_address_line_1|ship_to_street|Lieferstrasse|adresse_livraison|direccion_envio
city:city:shipping_address_city|ship_to_city|Lieferort|ville_livraison|ciudad_envio
zip:zip:shipping_address_postal_code|ship_to_zip|LieferPLZ|cp_livraison|cp_envio
country:country:shipping_address_country|ship_to_country|Lieferland|pays_livraison|pais_envio
phone:phone:shipping_phone|ship_to_phone|Telefon_Lieferung|tel_livraison
bname:fullname:billing_name|bill_to_name|Rechnungsempfaenger|nom_facturation
bcity:city:billing_address_city|bill_to_city|Rechnungsort|ville_facturation|ciudad_facturacion
bzip:zip:billing_address_postal_code|bill_to_zip|RechnungsPLZ|cp_facturation
weight:decimal:weight|total_weight|Gewicht|poids|peso
shipped:instant:shipped_at|ship_date|versendet_am|date_expedition|fecha_envio
delivered:instant:delivered_at|delivery_date|zugestellt_am|date_livraison|fecha_entrega""",
    "opportunity": """
id:number:id|deal_id|OpportunityID|Chance_ID|affaire_id|oportunidad_id
name:words:name|deal_name|Bezeichnung|titre|nombre|opportunity_name
stage:status:stage|stage_id|Phase|etape|etapa|sales_stage
pipeline:code:pipeline|pipeline_id|Trichter|tunnel|embudo
amount:amount:amount|deal_value|Wert|montant|importe|expected_revenue
currency:currency:currency|currency_code|Waehrung|devise|moneda
probability:percent:probability|win_probability|Wahrscheinlichkeit|probabilite|probabilidad
close:date:close_date|closed_date|Abschlussdatum|date_cloture|fecha_cierre|expected_close
company:key:company_id|account_id|Firma|societe|empresa
contact:number:contact_id|primary_contact|Ansprechpartner|interlocuteur|contacto
owner:number:owner_id|sales_rep|Verkaeufer|commercial|comercial
created:instant:created_at|createdate|erstellt|date_creation|creado
won:bool:is_won|won|gewonnen|gagne|ganado
source:code:source|lead_source|Herkunft|origine|origen""",
}
_EXTRAS = """
_synced_at:instant livemode:bool _row_hash:hash row_version:small tenant_id:number metadata:json import_batch:number external_ref:doc legacy_code:code
custom_field_1:maybe custom_field_2:maybe internal_flag:bool sync_status:status etl_loaded:instant checksum:hash region_code:code locale:code
score:decimal ip_address:ip user_agent:text api_version:small fingerprint:hash risk_level:priority failure_code:maybe source_table:code
"""
EXTRAS = _EXTRAS.split()
_WORDS = """
alpha north blue river stone garden silver prime global united first local central modern quick bright solid green royal summit
"""
WORDS = _WORDS.split()
_NAMES = """
Anna Ben Clara David Eva Felix Greta Hugo Ines Jonas Karin Leo Mara Nils Olga Paul Rita Sven Tina Uwe Vera Willem Yara Zoe
"""
NAMES = _NAMES.split()
_LASTS = """
Abel Brandt Costa Dubois Evans Fischer Garcia Hansen Ivanov Jansen Klein Lopez Meyer Novak Olsen Peters Rossi Smit Torres Weber
"""
LASTS = _LASTS.split()
_CITIES = """
Berlin Paris Madrid Roma Utrecht Gent Lyon Wien Graz Porto Milano Leeds Cork Malmo Basel Köln Sevilla Nantes
"""
CITIES = _CITIES.split()


def make_value(kind: str, dice: random.Random, number: int, style: int) -> str:
    """Return one value of a kind, in the spelling of one vendor."""
    maker = MAKERS[kind]
    return maker(dice, number, style)


def _instant(dice: random.Random, style: int) -> str:
    day = f"20{dice.randint(15, 25)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}"
    clock = f"{dice.randint(0, 23):02}:{dice.randint(0, 59):02}:{dice.randint(0, 59):02}"
    return (f"{day} {clock}", f"{day}T{clock}Z", f"{day} {clock}.000")[style % 3]


def _date(dice: random.Random, style: int) -> str:
    year, month, day = 2000 + dice.randint(15, 25), dice.randint(1, 12), dice.randint(1, 28)
    return (f"{year}-{month:02}-{day:02}", f"{day:02}.{month:02}.{year}", f"{year}-{month:02}-{day:02} 00:00:00")[style % 3]


def _letters(dice: random.Random, length: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(dice.choice(letters) for _ in range(length))


def _amount(dice: random.Random, style: int) -> str:
    cents = dice.randint(100, 9_999_99)
    return (f"{cents / 100:.2f}", f"{cents / 100:.2f}", str(cents), f"{cents // 100},{cents % 100:02}")[style % 4]


MAKERS: dict[str, Callable[[random.Random, int, int], str]] = {
    "key": lambda dice, number, style: f"cus_{_letters(dice, 10)}",
    "doc": lambda dice, number, style: _letters(dice, 14),
    "docno": lambda dice, number, style: f"INV-{dice.randint(10_000, 99_999)}",
    "number": lambda dice, number, style: str(dice.randint(10_000, 9_999_999)),
    "sku": lambda dice, number, style: f"{_letters(dice, 2, string.ascii_uppercase)}-{dice.randint(100, 9999)}",
    "company": lambda dice, number, style: f"{dice.choice(WORDS).title()} {dice.choice(WORDS).title()} {dice.choice(['GmbH', 'Ltd', 'SA', 'BV', 'Inc'])}",
    "first": lambda dice, number, style: dice.choice(NAMES),
    "last": lambda dice, number, style: dice.choice(LASTS),
    "fullname": lambda dice, number, style: f"{dice.choice(NAMES)} {dice.choice(LASTS)}",
    "email": lambda dice, number, style: f"{dice.choice(NAMES).lower()}.{dice.choice(LASTS).lower()}{dice.randint(1, 99)}@example.{dice.choice(['com', 'de', 'fr'])}",
    "phone": lambda dice, number, style: f"+{dice.randint(31, 49)} {dice.randint(10, 99)} {dice.randint(100000, 999999)}",
    "vat": lambda dice, number, style: f"{dice.choice(['DE', 'FR', 'NL', 'IT'])}{dice.randint(10**8, 10**9 - 1)}",
    "street": lambda dice, number, style: f"{dice.choice(WORDS).title()} {dice.choice(['Street', 'Road', 'weg', 'straat'])} {dice.randint(1, 200)}",
    "city": lambda dice, number, style: dice.choice(CITIES),
    "zip": lambda dice, number, style: f"{dice.randint(1000, 99999):05}",
    "country": lambda dice, number, style: dice.choice(["DE", "FR", "NL", "IT", "ES", "GB", "BE"]),
    "currency": lambda dice, number, style: dice.choice(["EUR", "USD", "GBP", "CHF"]),
    "amount": lambda dice, number, style: _amount(dice, style),
    "decimal": lambda dice, number, style: f"{dice.random() * 50:.3f}",
    "percent": lambda dice, number, style: str(dice.choice([0, 5, 7, 10, 19, 20, 21, 25, 50])),
    "int": lambda dice, number, style: str(dice.randint(1, 500)),
    "small": lambda dice, number, style: str(dice.randint(1, 5)),
    "unit": lambda dice, number, style: dice.choice(["pcs", "kg", "h", "m", "box"]),
    "terms": lambda dice, number, style: dice.choice(["NET30", "NET14", "NET60", "IMMEDIATE"]),
    "status": lambda dice, number, style: dice.choice(["open", "closed", "pending", "cancelled", "active"]),
    "priority": lambda dice, number, style: dice.choice(["low", "normal", "high", "urgent"]),
    "code": lambda dice, number, style: dice.choice(["web", "partner", "phone", "direct", "shop"]),
    "bool": lambda dice, number, style: ("true", "false")[dice.random() < 0.3] if style % 2 else ("TRUE", "FALSE")[dice.random() < 0.3],
    "instant": lambda dice, number, style: _instant(dice, style),
    "date": lambda dice, number, style: _date(dice, style),
    "text": lambda dice, number, style: " ".join(dice.choice(WORDS) for _ in range(dice.randint(8, 20))),
    "words": lambda dice, number, style: " ".join(dice.choice(WORDS).title() for _ in range(3)),
    "jobtitle": lambda dice, number, style: dice.choice(["CEO", "Head of Sales", "Buyer", "Accountant", "Engineer", "Assistant"]),
    "iban": lambda dice, number, style: f"DE{dice.randint(10, 99)}{dice.randint(10**17, 10**18 - 1)}",
    "ean": lambda dice, number, style: str(dice.randint(4 * 10**12, 5 * 10**12)),
    "url": lambda dice, number, style: f"https://example.com/{_letters(dice, 8)}",
    "ip": lambda dice, number, style: ".".join(str(dice.randint(1, 254)) for _ in range(4)),
    "hash": lambda dice, number, style: _letters(dice, 32, "0123456789abcdef"),
    "json": lambda dice, number, style: f'{{"ref": "{_letters(dice, 6)}"}}',
    "maybe": lambda dice, number, style: dice.choice(WORDS) if dice.random() < 0.2 else "",
}


@dataclass(frozen=True)
class Made:
    """One made pair with its truth, and the words whose meaning was hidden."""

    table: str
    source: StreamProfile
    target: StreamProfile
    truth: dict[str, str | None]
    unknown: frozenset[str]


def make_pairs(count: int, seed: int) -> Iterator[Made]:
    """Make pairs, the same ones for the same seed."""
    dice = random.Random(seed)
    names = sorted(TABLES)
    for _ in range(count):
        yield _make(dice.choice(names), dice)


def _make(table: str, dice: random.Random) -> Made:
    fields = [line.split(":") for line in TABLES[table].strip().splitlines()]
    vendors = (dice.randrange(7), dice.randrange(7))
    if vendors[0] == vendors[1] and dice.random() < 0.7:
        vendors = (vendors[0], (vendors[0] + 1) % 7)
    mode = dice.choices(["same", "different", "source", "none"], [0.5, 0.2, 0.25, 0.05])[0]
    rows = dice.choice([1, 2, 3, 5, 10, 30, 100])
    styles = (dice.randrange(12), dice.randrange(12))
    case = (dice.randrange(4), dice.randrange(4))
    prefix = ["", "", ""] if dice.random() < 0.6 else [dice.choice(["property_", "x_", "fld_", "attributes_", "u_"]), "", ""]
    own = dice.random() < 0.6
    dropped = dice.uniform(0.0, 0.35)
    sides: tuple[dict[str, FieldProfile], dict[str, FieldProfile]] = ({}, {})
    truth: dict[str, str | None] = {}
    empty = dice.uniform(0, 0.5)
    for _key, kind, spellings in fields:
        names = spellings.split("|")
        spelled = [_case(names[min(vendors[side], len(names) - 1)], case[side]) for side in (0, 1)]
        if own and dice.random() < 0.35:
            spelled[1] = _case(f"{table}_{'_'.join(split_words(spelled[1]))}" if not spelled[1].lower().startswith(table) else spelled[1], case[1])
        if kind == "bool" and dice.random() < 0.5:
            spelled[1] = _case(f"is_{'_'.join(split_words(spelled[1]))}", case[1])
        spelled[0] = prefix[0] + spelled[0]
        columns = _columns(kind, rows, dice, styles, mode, empty)
        kept = [dice.random() >= dropped, dice.random() >= dropped]
        for side in (0, 1):
            if kept[side] and spelled[side] not in sides[side]:
                sides[side][spelled[side]] = _profile(spelled[side], kind, columns[side])
            else:
                kept[side] = False
        if kept[0]:
            truth[spelled[0]] = spelled[1] if kept[1] else None
    _extend(sides, truth, dice, rows, styles, mode)
    hidden = frozenset(word for side in sides for name in side for word in split_words(name) if dice.random() < 0.15)
    profiles = tuple(_shuffled(name, side, dice) for name, side in zip((table if dice.random() < 0.7 else "export", table), sides, strict=True))
    return Made(table, profiles[0], profiles[1], truth, hidden)


def _extend(
    sides: tuple[dict[str, FieldProfile], dict[str, FieldProfile]], truth: dict[str, str | None], dice: random.Random, rows: int,
    styles: tuple[int, int], mode: str,
) -> None:  # fmt: skip
    extras = dice.sample(EXTRAS, dice.randint(2, 9))
    for number, each in enumerate(extras):
        name, kind = each.split(":")
        columns = _columns(kind, rows, dice, styles, mode, 0.3)
        sides_here = (0,) if number % 5 < 3 else (1,) if number % 5 == 3 else (0, 1)
        for side in sides_here:
            sides[side].setdefault(name, _profile(name, kind, columns[side]))
        if 0 in sides_here:
            truth.setdefault(name, name if 1 in sides_here else None)


def _columns(kind: str, rows: int, dice: random.Random, styles: tuple[int, int], mode: str, empty: float) -> tuple[list[str] | None, list[str] | None]:
    blank = dice.random() < empty
    share = 0.0 if dice.random() < 0.7 else dice.uniform(0, 0.6)
    seeds = [dice.random() for _ in range(rows)]
    missing = [dice.random() < share for _ in range(rows)]

    def column(style: int, seeds: list[float], missing: list[bool]) -> list[str]:
        return ["" if blank or gone else make_value(kind, random.Random(seed), number, style) for number, (seed, gone) in enumerate(zip(seeds, missing, strict=True))]

    first = None if mode == "none" else column(styles[0], seeds, missing)
    if mode in ("source", "none"):
        return first, None
    if mode == "different":
        seeds = [dice.random() for _ in range(rows)]
    return first, column(styles[1], seeds, missing)


def _profile(name: str, kind: str, values: list[str] | None) -> FieldProfile:
    types = {"bool": "boolean", "instant": "timestamp", "date": "date", "amount": "decimal(18,2)", "int": "integer", "small": "integer", "percent": "decimal(5,2)"}
    if values is None:
        return FieldProfile(name, type=types.get(kind, "string"))
    return profile_values(name, values)


def _shuffled(name: str, side: dict[str, FieldProfile], dice: random.Random) -> StreamProfile:
    fields = list(side.values())
    if dice.random() < 0.5:
        dice.shuffle(fields)
    return StreamProfile(name, tuple(fields), max((each.records for each in fields), default=0))


def _case(name: str, case: int) -> str:
    words = split_words(name)
    if case == 0:
        return name
    if case == 1:
        return "_".join(words)
    if case == 2:
        return words[0] + "".join(each.title() for each in words[1:])
    return "".join(each.title() for each in words)
