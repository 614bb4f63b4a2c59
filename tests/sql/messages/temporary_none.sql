-- A session whose only temporary object was not made has no schema of them.
CREATE TEMP VIEW tt AS SELECT a FROM nosuch;
DROP TABLE pg_temp.nosuch;
DROP VIEW pg_temp.tt;
