-- Of several things that a statement's rows break, which is told: the first row's; of a row its values' domains, column by
-- column, then NOT NULL, then the row's CHECKs; of these in the order of their names.
CREATE TABLE t (a int, b int NOT NULL, CONSTRAINT z CHECK (a > 0), CONSTRAINT b CHECK (a > 1));
INSERT INTO t VALUES (0, 1);
INSERT INTO t VALUES (1, 1), (0, 1);
INSERT INTO t VALUES (2, 1), (1, 1), (2, NULL);
INSERT INTO t VALUES (2, 1), (1, NULL), (2, NULL);
INSERT INTO t SELECT x, nullif(x, 3) FROM (VALUES (2), (1), (3)) v(x);
CREATE DOMAIN pos AS int4 DEFAULT 7 CONSTRAINT low CHECK (VALUE > 0) CONSTRAINT high CHECK (VALUE < 50) CONSTRAINT a CHECK (VALUE NOT IN (3, 77));
CREATE DOMAIN word AS text NOT NULL CHECK (length(VALUE) < 4);
SELECT 77::pos, 60::pos;
SELECT 60::pos, 77::pos;
SELECT x::pos FROM (VALUES (3), (60), (0)) v(x);
SELECT '{77}'::pos[];
CREATE TABLE d (a int4 PRIMARY KEY, p pos, w word, q pos NOT NULL DEFAULT 4, CHECK (p <> 2));
INSERT INTO d (a, p, w) VALUES (1, 77, 'long');
INSERT INTO d (a, p, w) VALUES (1, 7, 'long'), (2, 60, 'x');
INSERT INTO d (a, w) SELECT 1, NULL;
INSERT INTO d (a, w, p, q) SELECT x, 'w', x, nullif(x, 3) FROM (VALUES (1), (2), (60)) v(x);
INSERT INTO d (a, w, p, q) SELECT x, 'w', x, nullif(x, 4) FROM (VALUES (1), (4), (2)) v(x);
-- What a change leaves as it was is not looked at again.
INSERT INTO d VALUES (1, 5, 'x', 5);
ALTER DOMAIN pos ADD CONSTRAINT top CHECK (VALUE > 5) NOT VALID;
UPDATE d SET a = 2;
UPDATE d SET w = 'y' RETURNING *;
UPDATE d SET p = p, q = q RETURNING *;
UPDATE d SET p = 4;
UPDATE d SET q = q - 1, w = 'long';
UPDATE d SET w = 'long', q = q - 1;
INSERT INTO d VALUES (2, 6, 'x', 6) ON CONFLICT (a) DO UPDATE SET w = 'z' RETURNING *;
INSERT INTO d VALUES (2, 6, 'x', 6) ON CONFLICT (a) DO UPDATE SET p = d.p - 1;
-- Children are changed in their own columns.
CREATE TABLE c (a int4 REFERENCES d ON UPDATE CASCADE ON DELETE SET NULL, p pos, w word);
INSERT INTO c VALUES (2, 6, 'w');
ALTER DOMAIN pos ADD CONSTRAINT top8 CHECK (VALUE > 8) NOT VALID;
UPDATE d SET a = 3;
DELETE FROM d;
SELECT * FROM c;
-- Nor is what a query reads from columns of the domain.
CREATE TABLE e (LIKE d);
INSERT INTO d (a, w) VALUES (8, 'w');
DELETE FROM d;
INSERT INTO d VALUES (1, 9, 'x', 9);
ALTER DOMAIN pos ADD CONSTRAINT top9 CHECK (VALUE > 9) NOT VALID;
INSERT INTO e SELECT * FROM d RETURNING *;
INSERT INTO e (a, p, w, q) SELECT a, p + 0, w, q FROM d;
INSERT INTO e (a, p, w, q) SELECT a, 9, w, q FROM d;
INSERT INTO e (a, p, w, q) VALUES (4, 10, 'w', (SELECT 9));
INSERT INTO e (a, p) SELECT a, p FROM d;
UPDATE e SET p = d.q, q = d.p FROM d RETURNING e.*;
