-- What goes is called by its name alone where it stood in front of others.
CREATE TEMP TABLE tc (a int4 PRIMARY KEY);
CREATE TABLE tc (a int4 PRIMARY KEY);
CREATE TEMP VIEW va AS SELECT a FROM tc;
DROP TABLE tc;
DROP TABLE pg_temp.tc;
DROP TABLE public.tc;
DROP TABLE tc CASCADE;
