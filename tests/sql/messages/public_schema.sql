SELECT nspowner::regrole, nspacl FROM pg_namespace WHERE nspname = 'public';
\dn+ public
CREATE ROLE pubs_plain;
CREATE ROLE pubs_owner;
SELECT has_schema_privilege('pubs_plain', 'public', 'CREATE'), has_schema_privilege('pubs_plain', 'public', 'USAGE');
CREATE TABLE shared (a int);
GRANT ALL ON shared TO pubs_plain;
SET ROLE pubs_plain;
CREATE TABLE own (a int);
CREATE VIEW own AS SELECT 1;
CREATE SEQUENCE own;
CREATE TYPE own AS ENUM ('a');
CREATE DOMAIN own AS int;
CREATE FUNCTION own() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE own AS SELECT 1;
SELECT 1 AS a INTO own;
CREATE TABLE IF NOT EXISTS shared (a int);
INSERT INTO shared VALUES (1);
RESET ROLE;
GRANT CREATE ON SCHEMA public TO pubs_plain;
\dn+ public
SET ROLE pubs_plain;
CREATE TABLE own (a int);
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM pubs_plain;
SET ROLE pubs_plain;
ALTER TABLE own RENAME TO other;
CREATE INDEX own_i ON own (a);
RESET ROLE;
CREATE SCHEMA pubs AUTHORIZATION pubs_owner;
CREATE TABLE pubs.moves (a int);
ALTER TABLE pubs.moves OWNER TO pubs_owner;
SET ROLE pubs_owner;
ALTER TABLE pubs.moves SET SCHEMA public;
GRANT CREATE ON SCHEMA public TO pubs_owner;
DROP SCHEMA public;
RESET ROLE;
SELECT current_database() AS d
\gset
ALTER DATABASE :"d" OWNER TO pubs_owner;
SET ROLE pubs_owner;
ALTER TABLE pubs.moves SET SCHEMA public;
CREATE TABLE owned (a int);
GRANT CREATE ON SCHEMA public TO PUBLIC;
\dn+ public
RESET ROLE;
SET ROLE pubs_plain;
CREATE TABLE late (a int);
RESET ROLE;
ALTER DATABASE :"d" OWNER TO CURRENT_USER;
DROP TABLE shared, own, owned, late, moves;
DROP SCHEMA pubs;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
\dn+ public
DROP ROLE pubs_plain, pubs_owner;
