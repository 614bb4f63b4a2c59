-- Protects: CREATE STATISTICS is told of what is no table's name.
create statistics stx on a, b from (select 1 a) x;
create statistics stx on a, b from generate_series(1,2) x;
create statistics stx on a, b from nope a join nope2 b on true;
create statistics stx on a, b from nope as xx(a,b);
