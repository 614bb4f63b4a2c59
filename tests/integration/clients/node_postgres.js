// SPDX-License-Identifier: GPL-3.0-or-later
// postgres.js: everything prepared, pipelined.
'use strict';
const { pipeline } = require('node:stream/promises');
const { Readable } = require('node:stream');
const postgres = require('postgres');
const { equal, feature, options, raises, run, sleep } = require('./report');

const { user: username, ...rest } = options();
const sql = postgres({ ...rest, username, max: 4, onnotice: () => {} });

feature('connect', async () => {
  equal([...(await sql`SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()`)], [{ ssl: true }]);
  const wrong = postgres({ ...rest, username, password: 'wrong', max: 1 });
  await raises('28P01', () => wrong`SELECT 1`);
});

feature('ddl', async () => {
  await sql.unsafe('CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE); CREATE INDEX item_name ON item (name)').simple();
  equal([...(await sql`INSERT INTO item ${sql([{ name: 'a' }, { name: 'b' }])} RETURNING *`)], [{ id: 1, name: 'a' }, { id: 2, name: 'b' }]);
});

feature('types', async () => {
  await sql`CREATE TABLE types (a int, b bigint, c float8, d numeric, e boolean, f text, g bytea, h timestamptz, i json, j jsonb, k int[], l text[], m uuid, n date, o interval)`;
  const row = { a: -5, b: '9223372036854775807', c: 0.1, d: '1.10', e: true, f: 'täxt', g: Buffer.from([0, 255]), h: new Date('2024-02-29T01:02:03Z'),
    i: sql.json({ a: 1 }), j: sql.json([1, null]), k: [1, 2], l: ['a,b', 'c"d'], m: '12345678-1234-5678-1234-567812345678', n: '2024-02-29', o: '1 day' };
  await sql`INSERT INTO types ${sql(row)}`;
  const [got] = await sql`SELECT * FROM types`;
  const wanted = { ...row, i: { a: 1 }, j: [1, null], n: new Date('2024-02-29T00:00:00Z'), o: '1 day' };
  for (const name of Object.keys(row)) if (name !== 'n') equal(got[name], wanted[name], name);
  equal((await sql`SELECT count(*)::int FROM types WHERE a = ANY (${[-5, 6]}) AND k = ${[1, 2]} AND m = ${row.m} AND d = ${'1.1'}`)[0].count, 1);
  equal((await sql`UPDATE types SET ${sql({ a: 6, f: 'new' }, 'a', 'f')} WHERE a = -5`).count, 1);
  equal((await sql`DELETE FROM types WHERE a IN ${sql([6, 7])}`).count, 1);
});

feature('transactions', async () => {
  await sql`CREATE TABLE counted (n int)`;
  await raises('22012', () => sql.begin(async (t) => {
    await t`INSERT INTO counted VALUES (1)`;
    await t`SELECT 1/0`;
  }));
  await sql.begin('isolation level serializable', async (t) => t`INSERT INTO counted VALUES (2)`);
  await raises('25006', () => sql.begin('read only', (t) => t`INSERT INTO counted VALUES (3)`));
  equal([...(await sql`SELECT n FROM counted`)], [{ n: 2 }]);
});

feature('savepoints', async () => {
  await sql`CREATE TABLE saved (n int PRIMARY KEY)`;
  await sql.begin(async (t) => {
    await t`INSERT INTO saved VALUES (1)`;
    await t.savepoint((s) => s`INSERT INTO saved VALUES (1)`).catch((e) => equal(e.code, '23505'));
    await t`INSERT INTO saved VALUES (2)`;
  });
  equal((await sql`SELECT count(*)::int FROM saved`)[0].count, 2);
});

feature('prepared statements', async () => {
  const got = await Promise.all([...Array(200).keys()].map((i) => sql`SELECT ${i}::int + 1 AS n`));
  equal(got.map((r) => r[0].n), [...Array(200).keys()].map((i) => i + 1));
  const described = await sql`SELECT ${1}::int AS a, ${'x'}::text AS b`.describe();
  equal([described.types, described.columns.map((c) => c.name)], [[23, 25], ['a', 'b']]);
});

feature('errors', async () => {
  await sql`CREATE TABLE e (a int PRIMARY KEY, b int NOT NULL CHECK (b > 0))`;
  await sql`INSERT INTO e VALUES (1, 1)`;
  const e = await raises('23505', () => sql`INSERT INTO e VALUES (1, 1)`);
  equal([e.schema_name, e.table_name, e.constraint_name], ['public', 'e', 'e_pkey']);
  equal((await raises('23502', () => sql`INSERT INTO e VALUES (2, NULL)`)).column_name, 'b');
  await raises('42P01', () => sql`SELECT * FROM gone`);
  await raises('42601', () => sql`SELEC`);
  await raises('22P02', () => sql`SELECT ${'x'}::text::int`);
});

feature('cancel', async () => {
  const query = sql`SELECT pg_sleep(60)`;
  const failed = raises('57014', () => query);
  await sleep(100);
  query.cancel();
  await failed;
});

feature('bulk load', async () => {
  await sql`CREATE TABLE loaded (a int, b text)`;
  const lines = function* () {
    for (let i = 0; i < 20000; i++) yield `${i}\tline ${i}\n`;
  };
  await pipeline(Readable.from(lines()), await sql`COPY loaded FROM STDIN`.writable());
  equal((await sql`SELECT count(*)::int FROM loaded`)[0].count, 20000);
  let bytes = 0;
  for await (const chunk of await sql`COPY loaded (a) TO STDOUT`.readable()) bytes += chunk.length;
  equal(bytes, 108890);
});

feature('streaming', async () => {
  let sum = 0;
  for await (const rows of sql`SELECT i FROM generate_series(1, 10000) AS i`.cursor(500)) for (const row of rows) sum += row.i;
  equal(sum, 50005000);
  sum = 0;
  await sql`SELECT i FROM generate_series(1, 10000) AS i`.forEach((row) => (sum += row.i));
  equal(sum, 50005000);
});

feature('introspection', async () => {
  await sql`CREATE TABLE seen (a int, b varchar(7), c int[])`;
  const rows = await sql`SELECT * FROM seen`;
  equal(rows.columns.map((c) => [c.name, c.type]), [['a', 23], ['b', 1043], ['c', 1007]]);
  equal((await sql`SELECT relname FROM pg_class WHERE oid = ${rows.columns[0].table}`)[0].relname, 'seen');
});

run(() => sql.end({ timeout: 1 }));
