-- The ledger to which the demo delivers: `treaty demo` creates it in the embedded PostgreSQL.
CREATE SCHEMA IF NOT EXISTS ledger;
CREATE TABLE IF NOT EXISTS ledger.invoice (
    client text NOT NULL,
    seller text NOT NULL,
    number text NOT NULL,
    type_code text NOT NULL,
    issue_date date NOT NULL,
    due_date date,
    currency text NOT NULL,
    seller_vat text,
    buyer text,
    net_total numeric(18, 4) NOT NULL,
    vat_total numeric(18, 4),
    gross_total numeric(18, 4) NOT NULL,
    amount_due numeric(18, 4) NOT NULL,
    treaty_version bigint,
    PRIMARY KEY (client, seller, number, type_code)
);
CREATE TABLE IF NOT EXISTS ledger.contact (
    client text NOT NULL,
    email text NOT NULL,
    name text,
    phone text,
    company text,
    street text,
    postal_code text,
    city text,
    country text,
    active boolean,
    treaty_version bigint,
    PRIMARY KEY (client, email)
);
