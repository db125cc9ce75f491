-- How far a sink's intents have been derived: golden rows of later batches, or a changed outbound mapping, give new ones.

create table treaty.sink_progress (
    client text not null,
    sink text not null,
    mapping text not null,
    mapping_version text not null,
    golden_batch bigint not null,
    updated_at timestamptz not null,
    primary key (client, sink, mapping)
);
grant select, insert, update, delete on treaty.sink_progress to treaty_app;
alter table treaty.sink_progress enable row level security;
alter table treaty.sink_progress force row level security;
create policy own_client on treaty.sink_progress using (current_setting('treaty.client', true) in (client, '*'));
