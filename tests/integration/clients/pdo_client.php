<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// PHP: PDO's pgsql driver, and the pgsql extension for what PDO does not do (cancel, asynchronous queries, metadata).
declare(strict_types=1);

$features = [];
function feature(string $name, callable $body): void
{
    global $features;
    $features[$name] = $body;
}
function equal($got, $wanted, string $what = ''): void
{
    if ($got !== $wanted) throw new Exception("$what: got " . json_encode($got) . ', wanted ' . json_encode($wanted));
}
function raises(string $code, callable $body): PDOException
{
    try {
        $body();
    } catch (PDOException $error) {
        equal($error->errorInfo[0] ?? (string) $error->getCode(), $code, $error->getMessage());
        return $error;
    }
    throw new Exception("no error, wanted $code");
}
function db(?string $password = null): PDO
{
    $dsn = sprintf('pgsql:host=%s;port=%s;dbname=%s;sslmode=%s;sslrootcert=%s', getenv('PGHOST'), getenv('PGPORT'), getenv('PGDATABASE'),
        getenv('PGSSLMODE'), getenv('PGSSLROOTCERT'));
    return new PDO($dsn, getenv('PGUSER'), $password ?? getenv('PGPASSWORD'), [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
}
function value(PDO $db, string $sql, array $values = [])
{
    $statement = $db->prepare($sql);
    $statement->execute($values);
    return $statement->fetchColumn();
}

feature('connect', function () {
    $db = db();
    equal(value($db, 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'), true);
    equal(substr($db->getAttribute(PDO::ATTR_SERVER_VERSION), 0, 2), '15');
    try {
        db('wrong');
        throw new Exception('a wrong password was accepted');
    } catch (PDOException $error) {
        equal(str_contains($error->getMessage(), 'password authentication failed'), true, $error->getMessage());
    }
});

feature('ddl', function () {
    $db = db();
    $db->exec('CREATE TABLE item (id serial PRIMARY KEY, name text NOT NULL UNIQUE)');
    $db->exec('ALTER TABLE item ADD COLUMN price numeric(8,2) DEFAULT 1.5');
    equal($db->exec("INSERT INTO item (name) VALUES ('a'), ('b')"), 2);
    equal($db->lastInsertId('item_id_seq'), '2');
    equal($db->lastInsertId(), '2');
});

feature('types', function () {
    $db = db();
    $db->exec("SET timezone TO 'UTC'");
    $db->exec('CREATE TABLE types (a int, b bigint, c numeric(20,5), d float8, e bool, f text, g bytea, h date, i timestamptz, j int[], k jsonb, l uuid, m inet)');
    $statement = $db->prepare('INSERT INTO types VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
    $values = [-5, PHP_INT_MAX, '1.00001', 0.1, true, "täxt", "\0\xff", '2024-02-29', '2024-02-29 01:02:03+00', '{1,NULL}', '{"a": 1}',
        '12345678-1234-5678-1234-567812345678', '10.0.0.1'];
    foreach ($values as $i => $value) {
        $kind = is_bool($value) ? PDO::PARAM_BOOL : (is_int($value) ? PDO::PARAM_INT : ($i == 6 ? PDO::PARAM_LOB : PDO::PARAM_STR));
        $statement->bindValue($i + 1, $value, $kind);
    }
    $statement->execute();
    $row = $db->query('SELECT * FROM types')->fetch(PDO::FETCH_NUM);
    $row[6] = stream_get_contents($row[6]);
    $wanted = $values;
    $wanted[3] = '0.1';
    equal(serialize($row), serialize($wanted));
    equal((int) value($db, 'SELECT count(*) FROM types WHERE a = :a AND k @> :k AND c = :c', ['a' => -5, 'k' => '{}', 'c' => '1.00001']), 1);
    equal($db->exec('UPDATE types SET a = a + 1'), 1);
    equal($db->exec('DELETE FROM types WHERE a = -4'), 1);
});

feature('transactions', function () {
    [$db, $other] = [db(), db()];
    $db->exec('CREATE TABLE counted (n int)');
    $db->beginTransaction();
    $db->exec('INSERT INTO counted VALUES (1)');
    equal(value($other, 'SELECT count(*) FROM counted'), 0);
    equal($db->inTransaction(), true);
    $db->rollBack();
    $db->beginTransaction();
    $db->exec('INSERT INTO counted VALUES (1)');
    $db->commit();
    equal(value($other, 'SELECT count(*) FROM counted'), 1);
});

feature('savepoints', function () {
    $db = db();
    $db->exec('CREATE TABLE saved (n int PRIMARY KEY)');
    $db->beginTransaction();
    $db->exec('INSERT INTO saved VALUES (1)');
    $db->exec('SAVEPOINT s');
    raises('23505', fn () => $db->exec('INSERT INTO saved VALUES (1)'));
    $db->exec('ROLLBACK TO SAVEPOINT s');
    $db->exec('INSERT INTO saved VALUES (2)');
    $db->commit();
    equal(value($db, 'SELECT count(*) FROM saved'), 2);
});

feature('prepared statements', function () {
    $db = db();
    $statement = $db->prepare('SELECT ?::int + ?::int');
    foreach ([1, 2, 3] as $i) {
        $statement->execute([$i, 1]);
        equal($statement->fetchColumn(), $i + 1);
    }
    $emulated = $db->prepare('SELECT :a || :b', [PDO::ATTR_EMULATE_PREPARES => true]);
    $emulated->execute(['a' => "it's", 'b' => '\\']);
    equal($emulated->fetchColumn(), "it's\\");
});

feature('errors', function () {
    $db = db();
    $db->exec('CREATE TABLE e (a int PRIMARY KEY, b int NOT NULL CHECK (b > 0))');
    $db->exec('INSERT INTO e VALUES (1, 1)');
    foreach (['23505' => 'INSERT INTO e VALUES (1, 1)', '23502' => 'INSERT INTO e VALUES (2, NULL)', '23514' => 'INSERT INTO e VALUES (2, -1)',
        '42P01' => 'SELECT * FROM gone', '22012' => 'SELECT 1/0', '42601' => 'SELEC'] as $code => $sql)
        raises((string) $code, fn () => $db->query($sql));
});

feature('cancel', function () {
    $connection = pg_connect(sprintf('dbname=%s', getenv('PGDATABASE')));
    pg_send_query($connection, 'SELECT pg_sleep(60)');
    usleep(50000);
    equal(pg_cancel_query($connection), true);
    while (pg_get_result($connection));
    equal(pg_fetch_result(pg_query($connection, 'SELECT 1'), 0, 0), '1');
});

feature('bulk load', function () {
    $db = db();
    $db->exec('CREATE TABLE loaded (a int, b text)');
    equal($db->pgsqlCopyFromArray('loaded', array_map(fn ($i) => "$i\tline $i", range(1, 20000))), true);
    equal(value($db, 'SELECT sum(a) FROM loaded'), 200010000);
    equal(count($db->pgsqlCopyToArray('loaded')), 20000);
});

feature('streaming', function () {
    $db = db();
    $db->beginTransaction();
    $statement = $db->prepare('SELECT i FROM generate_series(1, 5000) AS i', [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]);
    $statement->execute();
    $total = 0;
    while (($row = $statement->fetch(PDO::FETCH_NUM)) !== false) $total += $row[0];
    equal($total, 12502500);
    equal($statement->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_ABS, 10), [10]);
    equal($statement->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_PRIOR), [9]);
    $db->commit();
});

feature('introspection', function () {
    $db = db();
    $db->exec('CREATE TABLE seen (a int PRIMARY KEY, b varchar(7), c numeric(6,2), d bytea)');
    $statement = $db->query('SELECT * FROM seen');
    $meta = array_map(fn ($i) => $statement->getColumnMeta($i), range(0, 3));
    equal(array_column($meta, 'native_type'), ['int4', 'varchar', 'numeric', 'bytea']);
    equal($meta[0]['table'], 'seen');
    $connection = pg_connect(sprintf('dbname=%s', getenv('PGDATABASE')));
    $described = pg_meta_data($connection, 'seen', true);
    equal([$described['a']['type'], $described['a']['not null'], $described['b']['type']], ['int4', true, 'varchar']);
    equal(pg_insert($connection, 'seen', ['a' => 1, 'b' => 'x']) !== false, true);
    equal(pg_select($connection, 'seen', ['a' => 1])[0]['b'], 'x');
    equal(pg_field_table(pg_query($connection, 'SELECT a FROM seen'), 0), 'seen');
});

feature('large objects', function () {
    $db = db();
    $db->beginTransaction();
    $oid = $db->pgsqlLOBCreate();
    $stream = $db->pgsqlLOBOpen($oid, 'w');
    equal(fwrite($stream, str_repeat('0123456789', 2000)), 20000);
    fseek($stream, 5);
    equal(fread($stream, 3), '567');
    $stream = null;
    // A stream is bound as a large object's content.
    $db->exec('CREATE TABLE document (id int, content oid)');
    $statement = $db->prepare('INSERT INTO document VALUES (1, ?)');
    $statement->bindValue(1, $oid);
    $statement->execute();
    $db->commit();
    $db->beginTransaction();
    $stream = $db->pgsqlLOBOpen((string) value($db, 'SELECT content FROM document'), 'r');
    equal(md5(stream_get_contents($stream)), md5(str_repeat('0123456789', 2000)));
    $stream = null;
    equal($db->pgsqlLOBUnlink($oid), true);
    $db->commit();
    $connection = pg_connect(sprintf('dbname=%s', getenv('PGDATABASE')));
    pg_query($connection, 'BEGIN');
    $oid = pg_lo_create($connection);
    $large = pg_lo_open($connection, $oid, 'w+');
    equal(pg_lo_write($large, 'some bytes'), 10);
    equal([pg_lo_seek($large, 5, PGSQL_SEEK_SET), pg_lo_read($large, 100), pg_lo_tell($large)], [true, 'bytes', 10]);
    equal([pg_lo_truncate($large, 4), pg_lo_close($large)], [true, true]);
    $path = tempnam(sys_get_temp_dir(), 'lo');
    equal([pg_lo_export($connection, $oid, $path), file_get_contents($path)], [true, 'some']);
    $copy = pg_lo_import($connection, $path);
    unlink($path);
    equal([pg_lo_unlink($connection, $oid), pg_lo_unlink($connection, $copy)], [true, true]);
    pg_query($connection, 'COMMIT');
});

$failed = false;
foreach ($features as $name => $body) {
    if ($argc > 1 && !in_array($name, array_slice($argv, 1))) continue;
    try {
        $body();
        echo "ok $name\n";
    } catch (Throwable $error) {
        $failed = true;
        echo "not ok $name: ", preg_replace('/\s+/', ' ', get_class($error) . ': ' . substr($error->getMessage(), 0, 1500)), "\n";
    }
}
exit($failed ? 1 : 0);
