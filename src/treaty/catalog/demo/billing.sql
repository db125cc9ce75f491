-- The billing system of client corva: `treaty demo` creates it in the database `billing` of the embedded PostgreSQL.
CREATE SCHEMA IF NOT EXISTS billing;
CREATE TABLE IF NOT EXISTS billing.customer (
    customer_no integer PRIMARY KEY,
    email text,
    contact_name text,
    phone text,
    company text,
    vat_no text,
    street text,
    postcode text,
    city text,
    country text,
    is_active boolean NOT NULL DEFAULT true,
    changed_at timestamptz NOT NULL
);
INSERT INTO billing.customer VALUES
    (1004, 'sabine.mueller@praezision-mueller.example', 'Sabine Müller', '+49 7361 550199', 'Präzision Müller KG', 'DE145778201', 'Werkstr. 9', '73430', 'Aalen', 'DE', true, '2026-08-30 12:00:00+00'),
    (1007, 'K.Oesterle@metallbau-oesterle.example', 'Karl Österle', NULL, 'Metallbau Österle', 'DE246810127', 'Bahnhofstr. 31', '88212', 'Ravensburg', 'DE', true, '2026-09-01 12:00:00+00'),
    (1011, 'rechnung@zerspanung-gross.example', 'Rechnungseingang', '+49 7131 555 0100', 'Zerspanung Groß GmbH', 'DE811234567', 'Industriering 4', '74072', 'Heilbronn', 'DE', true, '2026-09-02 12:00:00+00'),
    (1015, 'luc.jaquet@jaquet-horlogerie.example', 'Luc Jaquet', '+41 32 555 01 40', 'Uhrenmanufaktur Jaquet SA', NULL, 'Rue du Doubs 55', '2300', 'La Chaux-de-Fonds', 'CH', true, '2026-09-03 12:00:00+00'),
    (1019, 'einkauf@altkunde.example', 'Hermann Alt', '07150 5550', 'Alt & Söhne', 'DE299000111', 'Hauptstraße 1', '71640', 'Ludwigsburg', 'DE', false, '2024-03-11 12:00:00+00')
ON CONFLICT (customer_no) DO NOTHING;
