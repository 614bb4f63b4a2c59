// SPDX-License-Identifier: GPL-3.0-or-later
// node-postgres: pg, pg-cursor, pg-query-stream, pg-copy-streams.
'use strict';
const { pipeline } = require('node:stream/promises');
const { Readable } = require('node:stream');
const { Client, Pool } = require('pg');
const Cursor = require('pg-cursor');
const QueryStream = require('pg-query-stream');
const copy = require('pg-copy-streams');
const { equal, feature, options, raises, run, sleep } = require('./report');

const withClient = (body, more) => async () => {
  const client = new Client({ ...options(), ...more });
  await client.connect();
  try {
    await body(client);
  } finally {
    await client.end();
  }
};

feature('connect', withClient(async (c) => {
  equal((await c.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).rows, [{ ssl: true }]);
  const wrong = new Client({ ...options(), password: 'wrong' });
  await raises('28P01', () => wrong.connect());
}));

feature('ddl', withClient(async (c) => {
  await c.query('CREATE TABLE item (id serial PRIMARY KEY, name text NOT NULL UNIQUE); CREATE INDEX item_name ON item (name, id)');
  const r = await c.query("INSERT INTO item (name) VALUES ('a'), ('b') RETURNING id");
  equal([r.command, r.rowCount, r.rows[1].id], ['INSERT', 2, 2]);
}));

feature('types', withClient(async (c) => {
  const values = [['int2', 7], ['int4', -5], ['int8', '9223372036854775807'], ['float4', 0.5], ['float8', 0.1], ['numeric', '1.10'], ['bool', true],
    ['text', 'täxt'], ['bytea', Buffer.from([0, 255, 39])], ['timestamptz', new Date('2024-02-29T01:02:03.456Z')], ['json', { a: [1, null] }],
    ['jsonb', { b: 1 }], ['int4[]', [1, null, 3]], ['text[]', ['a,b', 'c"d']], ['uuid', '12345678-1234-5678-1234-567812345678'], ['inet', '10.0.0.1'],
    ['time', '01:02:03'], ['int4[]', [[1, 2], [3, 4]]], ['numeric[]', [1.5]]];
  for (const [kind, value] of values) equal((await c.query(`SELECT $1::${kind} AS v`, [value])).rows[0].v, value, kind);
  equal((await c.query('SELECT $1::timestamp AS v', [new Date(2024, 1, 29, 1)])).rows[0].v, new Date(2024, 1, 29, 1));
  equal((await c.query('SELECT $1::date AS v', ['2024-02-29'])).rows[0].v, new Date(2024, 1, 29));
  equal({ ...(await c.query("SELECT '1 day 02:00:03'::interval AS v")).rows[0].v }, { days: 1, hours: 2, seconds: 3 });
  const binary = await c.query({ text: "SELECT 1::int4 AS a, 'x'::text AS b, 2.5::float8 AS c, true AS d", binary: true });
  equal(binary.rows, [{ a: 1, b: 'x', c: 2.5, d: true }]);
  await c.query('CREATE TABLE t (a int PRIMARY KEY, j jsonb, d numeric)');
  await c.query('INSERT INTO t VALUES ($1, $2, $3)', [1, JSON.stringify([1, { x: 'y' }]), 1.25]);
  equal((await c.query('UPDATE t SET d = d * 2 WHERE j @> $1 RETURNING d', ['[1]'])).rows, [{ d: '2.50' }]);
  equal((await c.query({ text: 'DELETE FROM t RETURNING a, d', rowMode: 'array' })).rows, [[1, '2.50']]);
}));

feature('transactions', withClient(async (c) => {
  const other = new Client(options());
  await other.connect();
  await c.query('CREATE TABLE counted (n int)');
  await c.query('BEGIN');
  await c.query('INSERT INTO counted VALUES (1)');
  equal((await other.query('SELECT count(*)::int FROM counted')).rows[0].count, 0);
  await c.query('ROLLBACK');
  await c.query('BEGIN ISOLATION LEVEL SERIALIZABLE');
  await c.query('INSERT INTO counted VALUES (1)');
  await c.query('COMMIT');
  equal((await other.query('SELECT count(*)::int FROM counted')).rows[0].count, 1);
  await other.end();
}));

feature('savepoints', withClient(async (c) => {
  await c.query('CREATE TABLE saved (n int PRIMARY KEY)');
  await c.query('BEGIN');
  await c.query('INSERT INTO saved VALUES (1)');
  await c.query('SAVEPOINT s');
  await raises('23505', () => c.query('INSERT INTO saved VALUES ($1)', [1]));
  await c.query('ROLLBACK TO SAVEPOINT s');
  await c.query('INSERT INTO saved VALUES (2)');
  await c.query('COMMIT');
  equal((await c.query('SELECT n FROM saved ORDER BY n')).rows, [{ n: 1 }, { n: 2 }]);
}));

feature('prepared statements', withClient(async (c) => {
  for (let i = 0; i < 10; i++)
    equal((await c.query({ name: 'plus', text: 'SELECT $1::int + 1 AS n', values: [i] })).rows[0].n, i + 1);
}));

feature('errors', withClient(async (c) => {
  await c.query('CREATE TABLE e (a int PRIMARY KEY, b int NOT NULL CONSTRAINT small CHECK (b < 10))');
  await c.query('INSERT INTO e VALUES (1, 1)');
  const e = await raises('23505', () => c.query('INSERT INTO e VALUES (1, 1)'));
  equal([e.schema, e.table, e.constraint, e.severity], ['public', 'e', 'e_pkey', 'ERROR']);
  equal((await raises('23502', () => c.query('INSERT INTO e VALUES (2, NULL)'))).column, 'b');
  equal((await raises('23514', () => c.query('INSERT INTO e VALUES (2, 10)'))).constraint, 'small');
  await raises('42P01', () => c.query('SELECT * FROM gone'));
  await raises('42601', () => c.query('SELEC'));
  await raises('22012', () => c.query('SELECT $1::int / 0', [1]));
  equal((await raises('22P02', () => c.query('SELECT $1::int', ['x']))).where?.length > 0, true);
}));

feature('cancel', withClient(async (c) => {
  const pid = (await c.query('SELECT pg_backend_pid() AS pid')).rows[0].pid;
  const sleeping = raises('57014', () => c.query('SELECT pg_sleep(60)'));
  const other = new Client(options());
  await other.connect();
  while (!(await other.query("SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND state = 'active' AND query LIKE '%sleep%'", [pid])).rowCount) await sleep(5);
  equal((await other.query('SELECT pg_cancel_backend($1)', [pid])).rows[0].pg_cancel_backend, true);
  await sleeping;
  await other.end();
  equal((await c.query('SELECT 1 AS one')).rows, [{ one: 1 }]);
}));

feature('bulk load', withClient(async (c) => {
  await c.query('CREATE TABLE loaded (a int, b text)');
  const lines = function* () {
    for (let i = 0; i < 20000; i++) yield `${i}\tline ${i}\n`;
  };
  const into = c.query(copy.from('COPY loaded FROM STDIN'));
  await pipeline(Readable.from(lines()), into);
  equal(into.rowCount, 20000);
  let bytes = 0;
  for await (const chunk of c.query(copy.to('COPY loaded TO STDOUT'))) bytes += chunk.length;
  equal(bytes, [...lines()].join('').length);
  await c.query('INSERT INTO loaded SELECT * FROM unnest($1::int[], $2::text[])', [[1, 2], ['x', 'y']]);
}));

feature('streaming', withClient(async (c) => {
  const cursor = c.query(new Cursor('SELECT i FROM generate_series(1, $1::int) AS i', [10000]));
  let sum = 0;
  for (let rows = await cursor.read(700); rows.length > 0; rows = await cursor.read(700)) for (const row of rows) sum += row.i;
  await cursor.close();
  equal(sum, 50005000);
  sum = 0;
  for await (const row of c.query(new QueryStream('SELECT i FROM generate_series(1, 10000) AS i', [], { batchSize: 300 }))) sum += row.i;
  equal(sum, 50005000);
}));

feature('introspection', withClient(async (c) => {
  await c.query('CREATE TABLE seen (a int, b varchar(7))');
  const { fields } = await c.query('SELECT * FROM seen');
  equal(fields.map((f) => [f.name, f.dataTypeID, f.dataTypeModifier, f.columnID]), [['a', 23, -1, 1], ['b', 1043, 11, 2]]);
  equal((await c.query('SELECT $1::oid::regclass::text AS t', [fields[0].tableID])).rows[0].t, 'seen');
}));

feature('large objects', withClient(async (c) => {
  const data = Buffer.from('0123456789'.repeat(3000));
  await c.query('BEGIN');
  const { rows: [{ oid }] } = await c.query('SELECT lo_creat($1) AS oid', [0x60000]);
  const { rows: [{ fd }] } = await c.query('SELECT lo_open($1, $2) AS fd', [oid, 0x60000]);
  equal((await c.query({ name: 'write', text: 'SELECT lowrite($1, $2) AS n', values: [fd, data] })).rows[0].n, 30000);
  equal((await c.query('SELECT lo_lseek64($1, $2, 0) AS at', [fd, 29995])).rows[0].at, '29995');
  equal((await c.query({ name: 'read', text: 'SELECT loread($1, $2) AS data', values: [fd, 100] })).rows[0].data.toString(), '56789');
  equal((await c.query('SELECT lo_tell64($1) AS at, lo_truncate64($1, 7) AS done', [fd])).rows[0], { at: '30000', done: 0 });
  await c.query('SELECT lo_close($1)', [fd]);
  await c.query('COMMIT');
  equal((await c.query('SELECT lo_get($1) AS data', [oid])).rows[0].data.toString(), '0123456');
  await c.query('SELECT lo_unlink($1)', [oid]);
  await raises('42704', () => c.query('SELECT lo_get($1)', [oid]));
}));

feature('pool', async () => {
  const pool = new Pool({ ...options(), max: 5 });
  const got = await Promise.all([...Array(50).keys()].map((i) => pool.query('SELECT $1::int AS i', [i])));
  equal(got.map((r) => r.rows[0].i), [...Array(50).keys()]);
  await pool.end();
});

run();
