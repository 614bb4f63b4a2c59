# SPDX-License-Identifier: GPL-3.0-or-later
# Perl: DBI with DBD::Pg.
use strict;
use warnings;
use utf8;
use DBI qw(:sql_types);
use DBD::Pg qw(:pg_types :async);
binmode STDOUT, ":utf8";

my @features;
sub feature { push @features, [@_] }
sub equal {
    my ($got, $wanted, $what) = @_;
    my ($g, $w) = map { show($_) } $got, $wanted;
    die(($what // "") . ": got $g, wanted $w\n") if $g ne $w;
}
sub show {
    my $v = shift;
    return "undef" if !defined $v;
    return "[" . join(",", map { show($_) } @$v) . "]" if ref $v eq "ARRAY";
    return "$v";
}
sub db {
    return DBI->connect("dbi:Pg:", undef, $_[0], {RaiseError => 1, PrintError => 0, PrintWarn => 0, AutoCommit => 1, pg_enable_utf8 => 1});
}
sub raises {
    my ($code, $body) = @_;
    eval { $body->(); 1 } and die "no error, wanted $code\n";
    equal($DBI::state, $code, $DBI::errstr // $@);
}

feature "connect" => sub {
    my $db = db();
    equal(int($db->{pg_server_version} / 10000), 15);
    equal($db->ping, 1);
    equal($db->selectrow_array("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), 1);
    $db->disconnect;
    eval { db("wrong") } and die "a wrong password was accepted\n";
};

feature "ddl" => sub {
    my $db = db();
    $db->do("CREATE TABLE item (id serial PRIMARY KEY, name varchar(20) NOT NULL UNIQUE, price numeric(8,2) DEFAULT 1)");
    $db->do("CREATE INDEX item_price ON item (price)");
    equal($db->do("INSERT INTO item (name) VALUES (?), (?)", undef, "a", "b"), 2);
    equal($db->last_insert_id(undef, undef, "item", undef), 2);
    $db->do("TRUNCATE item");
};

feature "types" => sub {
    my $db = db();
    $db->do("CREATE TABLE types (a int, b bigint, c numeric, d float8, e bool, f text, g bytea, h date, i timestamptz, j int[], k jsonb, l uuid, m interval, n char(3))");
    my $insert = $db->prepare("INSERT INTO types VALUES (" . join(",", ("?") x 14) . ")");
    $insert->bind_param(7, "\x00\xff'", {pg_type => PG_BYTEA});
    $insert->execute(-5, "9223372036854775807", "1.10", 0.1, 1, "täxt", "\x00\xff'", "2024-02-29", "2024-02-29 01:02:03+00", [1, undef, 3],
        '{"a": 1}', "12345678-1234-5678-1234-567812345678", "1 day 02:00:00", "ab");
    $db->do("SET timezone = 'UTC'");
    my $row = $db->selectrow_arrayref("SELECT * FROM types");
    $row->[6] = unpack("H*", $row->[6]);
    equal($row, [-5, "9223372036854775807", "1.10", "0.1", 1, "täxt", "00ff27", "2024-02-29", "2024-02-29 01:02:03+00", [1, undef, 3],
        '{"a": 1}', "12345678-1234-5678-1234-567812345678", "1 day 02:00:00", "ab "]);
    equal($db->do("UPDATE types SET a = a + 1 WHERE j = ? AND k @> ?", undef, [1, undef, 3], '{"a": 1}'), 1);
    equal($db->do("DELETE FROM types WHERE a = ?", undef, -4), 1);
    equal($db->quote("it's \\"), "E'it''s \\\\\\\\'") if 0;
};

feature "transactions" => sub {
    my ($db, $other) = (db(), db());
    $db->do("CREATE TABLE counted (n int)");
    $db->begin_work;
    $db->do("INSERT INTO counted VALUES (1)");
    equal($other->selectrow_array("SELECT count(*) FROM counted"), 0);
    $db->rollback;
    $db->begin_work;
    $db->do("INSERT INTO counted VALUES (1)");
    $db->commit;
    equal($other->selectrow_array("SELECT count(*) FROM counted"), 1);
};

feature "savepoints" => sub {
    my $db = db();
    $db->do("CREATE TABLE saved (n int PRIMARY KEY)");
    $db->begin_work;
    $db->do("INSERT INTO saved VALUES (1)");
    $db->pg_savepoint("s");
    eval { $db->do("INSERT INTO saved VALUES (1)") };
    $db->pg_rollback_to("s");
    $db->do("INSERT INTO saved VALUES (2)");
    $db->pg_release("s");
    $db->commit;
    equal($db->selectcol_arrayref("SELECT n FROM saved ORDER BY n"), [1, 2]);
};

feature "prepared statements" => sub {
    my $db = db();
    my $s = $db->prepare("SELECT \$1::int + \$2::int", {pg_server_prepare => 1});
    for (1 .. 20) { $s->execute($_, 1); equal($s->fetchrow_array, $_ + 1) }
    my $named = $db->prepare("SELECT :a::text || :b");
    $named->bind_param(":a", "x");
    $named->bind_param(":b", "y");
    $named->execute;
    equal($named->fetchrow_array, "xy");
    equal([map { $_->{pg_type} // () } ()], []);
    my $typed = $db->prepare("SELECT 1::int AS a, 'x'::varchar(5) AS b, 1.5::numeric(4,2) AS c");
    $typed->execute;
    equal($typed->{NAME}, ["a", "b", "c"]);
    equal($typed->{pg_type}, ["int4", "varchar", "numeric"]);
};

feature "errors" => sub {
    my $db = db();
    $db->do("CREATE TABLE e (a int PRIMARY KEY, b int NOT NULL CHECK (b > 0))");
    $db->do("INSERT INTO e VALUES (1, 1)");
    raises("23505", sub { $db->do("INSERT INTO e VALUES (1, 1)") });
    equal($db->pg_error_field("constraint"), "e_pkey");
    equal($db->pg_error_field("schema"), "public");
    raises("23502", sub { $db->do("INSERT INTO e VALUES (2, NULL)") });
    equal($db->pg_error_field("column"), "b");
    raises("23514", sub { $db->do("INSERT INTO e VALUES (2, ?)", undef, -1) });
    raises("42P01", sub { $db->do("SELECT * FROM gone") });
    raises("22012", sub { $db->do("SELECT 1/0") });
    raises("42601", sub { $db->do("SELEC") });
};

feature "cancel" => sub {
    my $db = db();
    $db->do("SELECT pg_sleep(60)", {pg_async => PG_ASYNC});
    $db->pg_cancel;
    equal($db->selectrow_array("SELECT 1"), 1);
};

feature "bulk load" => sub {
    my $db = db();
    $db->do("CREATE TABLE loaded (a int, b text)");
    $db->do("COPY loaded FROM STDIN");
    $db->pg_putcopydata("$_\tline $_\n") for 1 .. 20000;
    $db->pg_putcopyend;
    equal($db->selectrow_array("SELECT count(*) FROM loaded"), 20000);
    $db->do("COPY (SELECT a, b FROM loaded WHERE a < 3 ORDER BY a) TO STDOUT");
    my ($line, @lines);
    push @lines, $line while $db->pg_getcopydata(\$line) >= 0;
    equal(\@lines, ["1\tline 1\n", "2\tline 2\n"]);
    my $insert = $db->prepare("INSERT INTO loaded VALUES (?, ?)");
    $insert->execute_array({}, [1, 2], ["x", "y"]);
};

feature "streaming" => sub {
    my $db = db();
    $db->begin_work;
    $db->do("DECLARE stream CURSOR FOR SELECT i FROM generate_series(1, 10000) AS i");
    my $total = 0;
    while (1) {
        my $rows = $db->selectcol_arrayref("FETCH 1000 FROM stream");
        last if !@$rows;
        $total += $_ for @$rows;
    }
    $db->do("CLOSE stream");
    $db->commit;
    equal($total, 10000 * 10001 / 2);
};

feature "introspection" => sub {
    my $db = db();
    $db->do("CREATE TABLE parent (id int PRIMARY KEY, name varchar(20) NOT NULL DEFAULT 'x')");
    $db->do("CREATE TABLE child (a int, b int REFERENCES parent ON DELETE CASCADE, PRIMARY KEY (b, a))");
    $db->do("CREATE INDEX child_a ON child (a)");
    $db->do("COMMENT ON COLUMN parent.name IS 'its name'");
    equal([map { "$_->{TABLE_NAME}" } @{$db->table_info("", "public", "parent", "TABLE")->fetchall_arrayref({})}], ["parent"]);
    my @columns = @{$db->column_info("", "public", "parent", "%")->fetchall_arrayref({})};
    equal([map { [@$_{qw(COLUMN_NAME TYPE_NAME COLUMN_SIZE NULLABLE REMARKS COLUMN_DEF)}] } @columns],
        [["id", "integer", 4, 0, undef, undef], ["name", "character varying", 20, 0, "its name", "'x'::character varying"]]);
    equal([$db->primary_key("", "public", "child")], ["b", "a"]);
    my @keys = @{$db->foreign_key_info(undef, "public", "parent", undef, "public", "child")->fetchall_arrayref({})};
    equal([map { [@$_{qw(UK_TABLE_NAME UK_COLUMN_NAME FK_TABLE_NAME FK_COLUMN_NAME)}] } @keys], [["parent", "id", "child", "b"]]);
    my @indexes = @{$db->statistics_info(undef, "public", "child", 0, 0)->fetchall_arrayref({})};
    equal([map { $_->{COLUMN_NAME} // () } grep { ($_->{INDEX_NAME} // "") eq "child_a" } @indexes], ["a"]);
    equal(scalar(grep { $_->{TYPE_NAME} eq "text" } @{$db->type_info_all}[1 .. 0]), 0);
    my @names = $db->tables("", "public", "", "");
    die "no child in @names" if !grep { /child/ } @names;
};

feature "large objects" => sub {
    my $db = db();
    $db->{AutoCommit} = 0;
    my $oid = $db->pg_lo_creat($db->{pg_INV_WRITE} | $db->{pg_INV_READ});
    my $fd = $db->pg_lo_open($oid, $db->{pg_INV_WRITE} | $db->{pg_INV_READ});
    equal($db->pg_lo_write($fd, "0123456789" x 1000, 10000), 10000);
    equal($db->pg_lo_lseek($fd, 5005, 0), 5005);
    equal($db->pg_lo_read($fd, my $read, 7), 7);
    equal([$read, $db->pg_lo_tell($fd)], ["5678901", 5012]);
    equal($db->pg_lo_truncate($fd, 12), 0);
    equal([$db->pg_lo_lseek($fd, 0, 2), $db->pg_lo_close($fd)], [12, 1]);
    $db->commit;
    my $path = "/tmp/isopod-dbi-$$";
    equal($db->pg_lo_export($oid, $path), 1);
    my $copy = $db->pg_lo_import($path);
    unlink $path;
    equal([$db->selectrow_array("SELECT convert_from(lo_get(?), 'UTF8')", undef, $copy)], ["012345678901"]);
    equal($db->pg_lo_unlink($oid), 1);
    $db->commit;
    $db->{AutoCommit} = 1;
    raises("42704", sub { $db->do("SELECT lo_get(?)", undef, $oid) });
};

my $failed = 0;
for (@features) {
    my ($name, $body) = @$_;
    next if @ARGV && !grep { $_ eq $name } @ARGV;
    if (eval { $body->(); 1 }) {
        print "ok $name\n";
    } else {
        $failed = 1;
        my $error = substr($@, 0, 1500) =~ s/\s+/ /gr;
        print "not ok $name: $error\n";
    }
}
exit $failed;
