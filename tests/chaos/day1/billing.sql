create schema billing;
create table billing.customer (customer_no integer primary key, email text, name text, phone text, city text, changed_at timestamptz not null);
insert into billing.customer values
    (1, 'office@mueller.example', 'Müller', null, 'Aalen', '2026-09-01 06:00:00+00'),
    (2, 'ana@sa.example', 'Ana Sá', '+3511', 'Lisboa', '2026-09-01 07:00:00+00'),
    (3, null, 'Nobody', null, null, '2026-09-01 07:00:00+00'),
    (4, 'kim@kim.example', 'Kim', '+821', 'Seoul', '2026-09-01 08:00:00+00'),
    (5, 'noor@noor.example', 'Noor', '+311', 'Utrecht', '2026-09-01 09:00:00+00');
