// SPDX-License-Identifier: GPL-3.0-or-later
// What report.py is, for node.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const features = [];

exports.feature = (name, body) => features.push([name, body]);
exports.equal = (got, wanted, what) => {
  try {
    assert.deepStrictEqual(got, wanted);
  } catch {
    throw new Error(`${what ?? ''}: got ${text(got)}, wanted ${text(wanted)}`);
  }
};
const text = (value) => JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v));
// What an error's SQLSTATE is, wherever a library keeps it.
const codeOf = (error) => error?.code ?? error?.original?.code ?? error?.parent?.code ?? error?.driverError?.code ?? error?.cause?.code;
exports.raises = async (code, body) => {
  try {
    await body();
  } catch (error) {
    const found = /^[0-9A-Z]{5}$/.test(codeOf(error) ?? '') ? codeOf(error) : error?.cause?.code ?? codeOf(error);
    if (found !== code) throw new Error(`got ${found} (${error.message}), wanted ${code}`);
    return error;
  }
  throw new Error(`no error, wanted ${code}`);
};
exports.sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
exports.options = () => ({
  host: process.env.PGHOST,
  port: Number(process.env.PGPORT),
  user: process.env.PGUSER,
  password: process.env.PGPASSWORD,
  database: process.env.PGDATABASE,
  ssl: { ca: fs.readFileSync(process.env.PGSSLROOTCERT, 'utf8') },
});
exports.url = () => {
  const e = process.env;
  return `postgresql://${e.PGUSER}:${e.PGPASSWORD}@${e.PGHOST}:${e.PGPORT}/${e.PGDATABASE}`;
};
exports.run = async (end) => {
  let failed = false;
  const wanted = process.argv.slice(2);
  for (const [name, body] of features) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    try {
      await body();
      console.log(`ok ${name}`);
    } catch (error) {
      failed = true;
      if (wanted.length > 0) console.error(error);
      console.log(`not ok ${name}: ${String(error.message ?? error).replace(/\s+/g, ' ').slice(0, 1500)}`);
    }
  }
  if (end) await end();
  process.exit(failed ? 1 : 0);
};
