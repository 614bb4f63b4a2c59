-- What is a session's own stays so, and nothing else becomes it.
create schema sc;
create temp table ta (a serial);
alter table ta set schema sc;
alter table ta set schema pg_temp;
create table sc.tb (a int);
alter table sc.tb set schema pg_temp;
create temp sequence sa;
alter sequence sa set schema sc;
create temp view va as select 1 as n;
alter view va set schema sc;
create type sc.mood as enum ('sad');
alter type sc.mood set schema pg_temp;
alter table sc.tb set schema public;
alter table tb set schema public;
select relname from pg_class where relnamespace = 'sc'::regnamespace;
