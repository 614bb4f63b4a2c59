-- Names of another kind of relation than the statement is about: indexes and composite types are relations, too.
create table k (a int primary key, b int);
create index ki on k (b);
create type ct as (a int);
create sequence ks;
select * from ki;
insert into ki values (1);
update ki set a = 1;
delete from ki;
create index on ki (a);
truncate ki;
lock table ki;
drop table ki;
drop table if exists ki;
drop view ki;
drop sequence ki;
drop materialized view ki;
drop type ki;
drop index k;
drop index ks;
alter table ki add column x int;
alter sequence ki restart;
alter view ki rename to q;
comment on table ki is 'x';
create view v as select * from ki;
select * from ct;
insert into ct values (1);
create index on ct (a);
drop table ct;
drop table if exists ct;
drop view ct;
drop sequence ct;
drop index ct;
alter table ct add column b int;
alter table ct rename to q;
-- The least numbers belong to their types with their sign.
select pg_typeof(-2147483648), pg_typeof(- 2147483648), pg_typeof(2147483648), pg_typeof(-9223372036854775808), pg_typeof(9223372036854775808);
select -9223372036854775808 / -1;
select -2147483648 - 1;
-- A semicolon is what is wrong, where one ends the statement.
select 1 +;
select 1 + -- a comment
;
