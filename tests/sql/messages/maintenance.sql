\set VERBOSITY verbose
-- Tools that vacuum and analyze all that a database has go on past what cannot be.
CREATE TABLE kept (a int PRIMARY KEY, b int);
CREATE VIEW seen AS SELECT 1 AS a;
CREATE SEQUENCE counted;
VACUUM seen;
VACUUM kept_pkey;
VACUUM counted;
VACUUM (ANALYZE) seen;
ANALYZE seen;
ANALYZE seen (a);
ANALYZE kept_pkey;
ANALYZE counted;
ANALYZE kept;
ANALYZE kept (b);
ANALYZE kept (c);
ANALYZE kept, seen;
ANALYZE nowhere;
VACUUM nowhere;
VACUUM kept (a);
-- Of the catalog's tables.
ANALYZE pg_catalog.pg_class;
VACUUM pg_catalog.pg_statistic_ext_data;
VACUUM (ANALYZE) pg_catalog.pg_class;
-- Materialized views have rows.
CREATE MATERIALIZED VIEW stored AS SELECT 1 AS a;
ANALYZE stored;
-- Of others.
CREATE ROLE stranger;
GRANT SELECT ON kept TO stranger;
SET ROLE stranger;
VACUUM kept;
VACUUM (ANALYZE) kept;
ANALYZE kept;
ANALYZE pg_class;
VACUUM pg_class;
RESET ROLE;
DROP MATERIALIZED VIEW stored;
DROP VIEW seen;
DROP SEQUENCE counted;
DROP TABLE kept;
DROP ROLE stranger;
