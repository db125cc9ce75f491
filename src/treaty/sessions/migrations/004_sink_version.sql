-- A sink may have a version above all that was ever sent from here: the state was lost, or another Treaty writes there. It is kept with the
-- delivery that the sink's guard refused, so that a replay can send above it.

alter table treaty.delivery add column sink_version bigint;
