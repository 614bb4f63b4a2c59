-- Roles that the server itself has: they cannot be made, altered or dropped.
CREATE ROLE pr_alice;
CREATE ROLE pg_pr_new;
ALTER ROLE pg_monitor LOGIN;
ALTER ROLE pg_pr_nobody LOGIN;
ALTER ROLE pg_monitor SET work_mem = '1MB';
ALTER ROLE pg_monitor RENAME TO pr_monitor;
ALTER ROLE pr_alice RENAME TO pg_pr_alice;
DROP ROLE pg_monitor;
DROP ROLE IF EXISTS pg_monitor;
DROP OWNED BY pg_monitor;
REASSIGN OWNED BY pg_monitor TO pr_alice;
REASSIGN OWNED BY pg_database_owner TO pr_alice;
GRANT pg_database_owner TO pr_alice;
GRANT pr_alice TO pg_database_owner;
CREATE ROLE pr_carl IN ROLE pg_database_owner;
GRANT pg_read_all_settings TO pg_monitor;
GRANT pg_monitor TO pr_alice;
DROP ROLE pr_alice;
