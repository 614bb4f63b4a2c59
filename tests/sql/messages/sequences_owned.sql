-- A sequence that a column owns may be where another column takes its values from.
create table tb (a bigserial, b int default nextval('tb_a_seq'));
create table tc (like tb including all);
create table td (a int default nextval('tb_a_seq'));
drop table tb;
drop table tb, td;
alter table tb drop a;
drop table tb cascade;
insert into tc default values;
select * from td;
drop table tc, td;
create table tb (a bigserial, b int default nextval('tb_a_seq'), e bigserial);
create view tv as select nextval('tb_a_seq') as n;
alter table tb drop a;
alter table tb drop a cascade;
insert into tb default values;
select * from tb;
drop table tb;
