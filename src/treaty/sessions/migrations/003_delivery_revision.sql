-- A golden version may be told to a sink more than once: when the outbound mapping changed, or the key passed to another record. What the
-- sink's guard compares is golden_version + revision, which only grows.

select set_config('treaty.client', '*', true);
alter table treaty.delivery add column revision integer not null default 0;
update treaty.delivery d set revision = n.place
    from (select ctid, row_number() over (partition by client, sink, canonical_id, golden_version order by created_at, key) - 1 as place from treaty.delivery) n
    where n.ctid = d.ctid and n.place > 0;
alter table treaty.delivery drop constraint delivery_pkey;
alter table treaty.delivery add primary key (client, sink, canonical_id, golden_version, revision);
create index delivery_key on treaty.delivery (client, sink, key);
