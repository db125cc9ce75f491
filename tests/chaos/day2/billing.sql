insert into billing.customer values
    (6, 'luc.jaquet@jaquet.example', 'L. Jaquet', '+4179', 'Biel', '2026-09-11 06:00:00+00'),
    (7, 'noor@noor.example', 'Noor B.', '+312', 'Utrecht', '2026-09-11 06:30:00+00'),
    (8, 'eva@eva.example', 'Eva', '+491', 'Ulm', '2026-09-11 07:00:00+00');
update billing.customer set phone = '+822', changed_at = '2026-09-11 08:00:00+00' where customer_no = 4;
