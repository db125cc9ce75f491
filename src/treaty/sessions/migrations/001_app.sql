-- The app schema: what is not a fact about client data. One file is one migration, run once, in one transaction.
-- Rows of a client are seen only by a connection that has said `set treaty.client = '<client>'`; '*' means all of them.

create table treaty.run (
    run_id text primary key,
    clients text[] not null,
    applied_id text,
    as_of date,
    started_at timestamptz not null,
    finished_at timestamptz,
    state text not null check (state in ('running', 'ok', 'failed', 'stopped')),
    who text not null default '',
    summary jsonb not null default '{}'
);
create index run_started on treaty.run (started_at desc);

create table treaty.delivery (
    client text not null,
    sink text not null,
    key text not null,
    golden_version bigint not null,
    model text not null,
    canonical_id uuid not null,
    op text not null check (op in ('upsert', 'delete', 'archive')),
    message_id text not null,
    state text not null check (state in ('waiting', 'held', 'acknowledged', 'coalesced', 'dead-lettered', 'ambiguous')),
    attempts integer not null default 0,
    message text not null default '',
    remote_id text,
    content_hash text,
    run_id text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (client, sink, key, golden_version)
);
create index delivery_open on treaty.delivery (client, sink, state) where state not in ('acknowledged', 'coalesced');
create index delivery_record on treaty.delivery (client, model, canonical_id);

create table treaty.issue (
    issue_id bigint generated always as identity primary key,
    client text not null,
    kind text not null,
    subject text not null,
    message text not null,
    remedy text not null default '',
    details jsonb not null default '{}',
    opened_at timestamptz not null,
    closed_at timestamptz,
    closed_by text
);
create unique index issue_open on treaty.issue (client, kind, subject) where closed_at is null;

create table treaty."user" (
    user_id bigint generated always as identity primary key,
    client text not null default '*',
    name text not null unique,
    email text not null default '',
    role text not null check (role in ('viewer', 'operator', 'modeller', 'admin', 'auditor')),
    created_at timestamptz not null,
    disabled_at timestamptz
);

create table treaty.audit (
    audit_id bigint generated always as identity primary key,
    client text not null,
    at timestamptz not null,
    who text not null,
    action text not null,
    subject text not null default '',
    details jsonb not null default '{}'
);
create index audit_at on treaty.audit (client, at);

create sequence treaty.batch;

grant usage on schema treaty to treaty_app, treaty_lake;
grant usage on sequence treaty.batch to treaty_lake;
grant select, insert, update, delete on treaty.run, treaty.delivery, treaty.issue, treaty."user" to treaty_app;
grant select, insert on treaty.audit to treaty_app;
grant select on treaty.migration to treaty_app, treaty_lake;

do $$
declare
    each text;
begin
    foreach each in array array['delivery', 'issue', 'user', 'audit'] loop
        execute format('alter table treaty.%I enable row level security', each);
        execute format('alter table treaty.%I force row level security', each);
        execute format('create policy own_client on treaty.%I using (current_setting(''treaty.client'', true) in (client, ''*''))', each);
    end loop;
end $$;
alter table treaty.run enable row level security;
alter table treaty.run force row level security;
create policy own_client on treaty.run
    using (current_setting('treaty.client', true) = '*' or clients <@ array[current_setting('treaty.client', true)]);
