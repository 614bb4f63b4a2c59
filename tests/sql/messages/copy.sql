-- COPY: what its options may be, of which relations it is, and how its data is read.
create table co (a text, b text);
insert into co values ('\.', 'x'), ('x','\.'), ('a|b', 'c'), (NULL,''), (E'q\r', E'w\n');
copy co to stdout (format csv);
copy co to stdout (format csv, force_quote *);
copy co (a) to stdout (format csv);
copy co to stdout (delimiter 'a');
copy co to stdout (delimiter '\');
copy co to stdout (delimiter '.');
copy co to stdout (delimiter '|', null '|');
copy co to stdout (null E'\n');
copy co to stdout (format csv, delimiter '"');
copy co to stdout (format csv, null '"');
copy co to stdout (format csv, delimiter ',', null 'a,b');
copy co to stdout (format csv, quote 'ab');
copy co to stdout (format csv, escape '');
copy co to stdout (format csv, delimiter E'\n');
copy co to stdout (delimiter '');
copy co to stdout (delimiter 'é');
copy co to stdout (delimiter 'A');
copy co to stdout (format csv, delimiter 'a');
copy co to stdout (format xml);
copy co to stdout (format text, format csv);
copy co to stdout (header, header);
copy co to stdout (header 2);
copy co to stdout (header 1);
copy co to stdout (header 'x');
copy co to stdout (freeze);
copy co to stdout (freeze 'on');
copy co from stdin (freeze 'maybe');
copy co to stdout (encoding 'nosuch');
copy co to stdout (encoding 'latin1', quote 'a');
copy co to stdout (force_quote (a));
copy co to stdout (format csv, force_quote (c));
copy co to stdout (format csv, force_not_null (a));
copy co from stdin (format csv, force_quote (a));
copy co (a, a) to stdout;
copy co (c) to stdout;
copy co (ctid) to stdout;
copy (select 1) from stdin;
copy (select 1 as x, 2) to stdout (header);
copy (delete from co where false returning *) to stdout (format csv, header);
copy co to stdout where a = 'x';
copy co from stdin where a in (select 1::text);
copy nosuch to stdout;
copy nosuch from stdin;
create view cov as select * from co;
copy cov to stdout;
create materialized view com as select * from co;
copy com to stdout;
create sequence cos;
copy cos to stdout;
create table cog (a int, b int generated always as (a*2) stored);
copy cog (a,b) from stdin;
copy cog (b) to stdout;
copy cog to stdout (header);
copy co to stdout csv header quote '''' force quote a;
copy co to stdout with delimiter ';' null 'N';
copy co to stdout binary header;
copy co to stdout (format binary, delimiter ',');
copy co to stdout (format binary, null '');
copy co to stdout (quote '"');
copy co to stdout (escape '"');
copy co to stdout (nosuch 1);
-- Each kind of line end, known by the first.
\set SHOW_CONTEXT always
delete from co;
copy co from stdin;
1	x\
y
2	\\.
3	z\.
copy co from stdin;
4	a\.b
\.
copy co from stdin (format csv);
5,\.
\.,5
"\.
",5
\.
copy co from stdin (format csv, header match);
a,c
\.
copy co from stdin (header match);
a	b	c
\.
copy co from stdin (format csv);
1,2,3,"
\.
copy co from stdin;
1	\xff	3
\.
copy co from stdin;
1	\0
\.
table co order by a;
-- Of two rows at fault the first is told.
create table cn (a int not null, b int check (b > 0));
copy cn from stdin;
1	1
\N	2
x	3
\.
copy cn from stdin;
1	1
2	0
3
\.
copy cn from stdin;
1	1
2	z
\N	3
\.
table cn;
-- Rows of a table without columns are empty lines.
create table none ();
copy none from stdin;


\.
select count(*) from none;
copy none to stdout;
copy none from stdin (format csv);

\.
select count(*) from none;
copy none from stdin;

x
\.
select count(*) from none;
