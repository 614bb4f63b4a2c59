// SPDX-License-Identifier: GPL-3.0-or-later
// Go's pgx: its own protocol, binary formats, statements prepared by themselves.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgtype"
	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

var ctx = context.Background()

func connect() *pgx.Conn {
	conn, err := pgx.Connect(ctx, "")
	check(err)
	return conn
}

func run(conn *pgx.Conn, sql string, values ...interface{}) int64 {
	tag, err := conn.Exec(ctx, sql, values...)
	check(err)
	return tag.RowsAffected()
}

func rows(conn *pgx.Conn, sql string, values ...interface{}) (all [][]interface{}) {
	found, err := conn.Query(ctx, sql, values...)
	check(err)
	defer found.Close()
	for found.Next() {
		row, err := found.Values()
		check(err)
		all = append(all, row)
	}
	check(found.Err())
	return all
}

func fails(code string, conn *pgx.Conn, sql string, values ...interface{}) *pgconn.PgError {
	_, err := conn.Exec(ctx, sql, values...)
	raises(code, err)
	return err.(*pgconn.PgError)
}

type list = [][]interface{}

func init() {
	feature("connect", func() {
		conn := connect()
		equal(rows(conn, "SELECT current_user::text"), list{{"app"}})
		equal(conn.PgConn().ParameterStatus("server_encoding"), "UTF8")
		_, err := pgx.Connect(ctx, "password=wrong")
		raises("28P01", err)
		check(conn.Close(ctx))
	})
	feature("ddl", func() {
		conn := connect()
		defer conn.Close(ctx)
		_, err := conn.PgConn().Exec(ctx, `CREATE SCHEMA two;
			CREATE TABLE two.item (id serial PRIMARY KEY, name varchar(20) NOT NULL UNIQUE, price numeric(10,2) CHECK (price >= 0));
			CREATE INDEX item_price ON two.item (price DESC) WHERE price > 10;
			ALTER TABLE two.item ADD COLUMN note text, ALTER COLUMN name TYPE text;
			CREATE VIEW two.cheap AS SELECT name FROM two.item WHERE price < 10`).ReadAll()
		check(err)
		equal(rows(conn, "INSERT INTO two.item (name, price) VALUES ($1, $2), ($3, $4) RETURNING id", "a", 1, "b", "20.5"), list{{int32(1)}, {int32(2)}})
		equal(rows(conn, "SELECT * FROM two.cheap"), list{{"a"}})
		// What its cache has prepared is made again when the table is another.
		equal(len(rows(conn, "SELECT * FROM two.item WHERE id = $1", 1)[0]), 4)
		run(conn, "ALTER TABLE two.item DROP COLUMN note")
		found, err := conn.Query(ctx, "SELECT * FROM two.item WHERE id = $1", 1)
		check(err)
		found.Close()
		raises("0A000", found.Err())
		equal(len(rows(conn, "SELECT * FROM two.item WHERE id = $1", 1)[0]), 3)
		run(conn, "DROP SCHEMA two CASCADE")
	})
	feature("types", types)
	feature("enums and composite types", func() {
		conn := connect()
		defer conn.Close(ctx)
		run(conn, "CREATE TYPE mood AS ENUM ('sad', 'ok')")
		run(conn, "CREATE TYPE pair AS (a int4, b text)")
		var oid uint32
		check(conn.QueryRow(ctx, "SELECT 'pair'::regtype::oid").Scan(&oid))
		pair, err := pgtype.NewCompositeType("pair", []pgtype.CompositeTypeField{{Name: "a", OID: pgtype.Int4OID}, {Name: "b", OID: pgtype.TextOID}}, conn.ConnInfo())
		check(err)
		conn.ConnInfo().RegisterDataType(pgtype.DataType{Value: pair, Name: "pair", OID: oid})
		run(conn, "CREATE TABLE moods (m mood, p pair)")
		equal(run(conn, "INSERT INTO moods VALUES ($1, $2)", "ok", pgtype.CompositeFields{int32(7), "x, y"}), int64(1))
		var mood, text string
		var number int
		check(conn.QueryRow(ctx, "SELECT m, p FROM moods WHERE m = $1", "ok").Scan(&mood, pgtype.CompositeFields{&number, &text}))
		equal(fmt.Sprint(mood, number, text), "ok7x, y")
		fails("22P02", conn, "INSERT INTO moods VALUES ($1)", "angry")
	})
	feature("transactions", func() {
		one, two := connect(), connect()
		defer one.Close(ctx)
		defer two.Close(ctx)
		run(one, "CREATE TABLE counter (id int PRIMARY KEY, n int)")
		run(one, "INSERT INTO counter VALUES (1, 0)")
		t, err := one.Begin(ctx)
		check(err)
		_, err = t.Exec(ctx, "UPDATE counter SET n = 5")
		check(err)
		equal(rows(two, "SELECT n FROM counter"), list{{int32(0)}})
		check(t.Rollback(ctx))
		for _, level := range []pgx.TxIsoLevel{pgx.ReadCommitted, pgx.RepeatableRead, pgx.Serializable} {
			check(one.BeginTxFunc(ctx, pgx.TxOptions{IsoLevel: level}, func(t pgx.Tx) error {
				_, err := t.Exec(ctx, "UPDATE counter SET n = n + $1", 1)
				return err
			}))
		}
		equal(rows(two, "SELECT n FROM counter"), list{{int32(3)}})
		t, err = one.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly, DeferrableMode: pgx.Deferrable, IsoLevel: pgx.Serializable})
		check(err)
		_, err = t.Exec(ctx, "UPDATE counter SET n = 9")
		raises("25006", err)
		equal(t.Commit(ctx), pgx.ErrTxCommitRollback)
	})
	feature("savepoints", func() {
		conn := connect()
		defer conn.Close(ctx)
		run(conn, "CREATE TABLE saved (a int PRIMARY KEY)")
		check(conn.BeginFunc(ctx, func(t pgx.Tx) error {
			_, err := t.Exec(ctx, "INSERT INTO saved VALUES (1)")
			check(err)
			raises("23505", t.BeginFunc(ctx, func(inner pgx.Tx) error {
				_, err := inner.Exec(ctx, "INSERT INTO saved VALUES (2), (1)")
				return err
			}))
			return t.BeginFunc(ctx, func(inner pgx.Tx) error {
				_, err := inner.Exec(ctx, "INSERT INTO saved VALUES (3)")
				return err
			})
		}))
		equal(rows(conn, "SELECT a FROM saved ORDER BY a"), list{{int32(1)}, {int32(3)}})
	})
	feature("prepared statements", func() {
		conn := connect()
		defer conn.Close(ctx)
		plus, err := conn.Prepare(ctx, "plus", "SELECT $1::int4 + $2::int8 AS sum")
		check(err)
		equal(plus.ParamOIDs, []uint32{pgtype.Int4OID, pgtype.Int8OID})
		equal(string(plus.Fields[0].Name), "sum")
		equal(rows(conn, "plus", 2, 3), list{{int64(5)}})
		equal(rows(conn, "SELECT name, parameter_types::text[] FROM pg_prepared_statements WHERE name = 'plus'", pgx.QuerySimpleProtocol(true))[0][0], "plus")
		check(conn.Deallocate(ctx, "plus"))
		_, err = conn.Prepare(ctx, "bad", "SELECT nothing")
		raises("42703", err)
	})
	feature("errors", func() {
		conn := connect()
		defer conn.Close(ctx)
		run(conn, "CREATE TABLE parent (id int PRIMARY KEY)")
		run(conn, "CREATE TABLE child (id int PRIMARY KEY, p int NOT NULL CONSTRAINT child_parent REFERENCES parent, n int CONSTRAINT positive CHECK (n > 0))")
		run(conn, "INSERT INTO parent VALUES (1)")
		equal(fails("23505", conn, "INSERT INTO parent VALUES ($1)", 1).ConstraintName, "parent_pkey")
		equal(fails("23503", conn, "INSERT INTO child VALUES (2, 9)").ConstraintName, "child_parent")
		equal(fails("23514", conn, "INSERT INTO child VALUES (2, 1, $1)", -1).ConstraintName, "positive")
		equal(fails("23502", conn, "INSERT INTO child VALUES (2, $1)", nil).ColumnName, "p")
		equal(fails("42P01", conn, "SELECT * FROM nowhere").Position, int32(15))
		fails("42601", conn, "SELEC")
		fails("22012", conn, "SELECT 1 / $1", 0)
		fails("22003", conn, "SELECT 2147483647 + $1::int4", 1)
		fails("2BP01", conn, "DROP TABLE parent")
	})
	feature("cancel", func() {
		conn := connect()
		wait, stop := context.WithTimeout(ctx, 50*time.Millisecond)
		defer stop()
		_, err := conn.Exec(wait, "SELECT pg_sleep(60)")
		if !pgconn.Timeout(err) || !conn.IsClosed() {
			panic(fmt.Errorf("it slept: %v", err))
		}
		// What its pool does not do: ask that the statement ends, and keep the connection.
		conn = connect()
		defer conn.Close(ctx)
		other := connect()
		defer other.Close(ctx)
		ended := make(chan error)
		go func() {
			_, err := conn.Exec(ctx, "SELECT pg_sleep(61)")
			ended <- err
		}()
		for len(rows(other, "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(61)'")) == 0 {
		}
		check(conn.PgConn().CancelRequest(ctx))
		raises("57014", <-ended)
		equal(rows(conn, "SELECT 1"), list{{int32(1)}})
	})
	feature("bulk load", func() {
		conn := connect()
		defer conn.Close(ctx)
		run(conn, "CREATE TABLE bulk (a int, b text, c timestamptz, d numeric)")
		count, err := conn.CopyFrom(ctx, pgx.Identifier{"bulk"}, []string{"b", "a", "c", "d"}, pgx.CopyFromSlice(20000, func(i int) ([]interface{}, error) {
			return []interface{}{fmt.Sprint("line ", i), i, time.Unix(int64(i), 0), float64(i) / 2}, nil
		}))
		check(err)
		equal(count, int64(20000))
		tag, err := conn.PgConn().CopyFrom(ctx, strings.NewReader("a;b\n-1;\"x;\"\"y\"\"\"\n-2;\n"), "COPY bulk (a, b) FROM STDIN WITH (FORMAT csv, HEADER, DELIMITER ';')")
		check(err)
		equal(tag.String(), "COPY 2")
		var out strings.Builder
		_, err = conn.PgConn().CopyTo(ctx, &out, "COPY (SELECT a, b, d FROM bulk WHERE a < 2 ORDER BY a DESC) TO STDOUT")
		check(err)
		equal(out.String(), "1\tline 1\t0.5\n0\tline 0\t0\n-1\tx;\"y\"\t\\N\n-2\t\\N\t\\N\n")
		_, err = conn.CopyFrom(ctx, pgx.Identifier{"bulk"}, []string{"a", "nothing"}, pgx.CopyFromRows(list{{1, 2}}))
		raises("42703", err)
	})
	feature("streaming", func() {
		conn := connect()
		defer conn.Close(ctx)
		sum := int64(0)
		var i int64
		var text string
		_, err := conn.QueryFunc(ctx, "SELECT i, repeat('x', $1) FROM generate_series(1, 20000) AS i", []interface{}{100}, []interface{}{&i, &text}, func(pgx.QueryFuncRow) error {
			sum += i
			return nil
		})
		check(err)
		equal(sum, int64(20000*20001/2))
	})
	feature("introspection", func() {
		conn := connect()
		defer conn.Close(ctx)
		run(conn, "CREATE TABLE seen (a int, b varchar(7), c numeric(6,2))")
		found, err := conn.Query(ctx, "SELECT a, b, c, 1 AS d FROM seen")
		check(err)
		text := ""
		for _, f := range found.FieldDescriptions() {
			text += fmt.Sprint(string(f.Name), " ", f.DataTypeOID, " ", f.DataTypeSize, " ", f.TypeModifier, " ", f.TableOID != 0, " ", f.TableAttributeNumber, "; ")
		}
		found.Close()
		equal(text, "a 23 4 -1 true 1; b 1043 -1 11 true 2; c 1700 -1 393222 true 3; d 23 4 -1 false 0; ")
	})
	feature("large objects", func() {
		conn := connect()
		defer conn.Close(ctx)
		tx, err := conn.Begin(ctx)
		check(err)
		objects := tx.LargeObjects()
		oid, err := objects.Create(ctx, 0)
		check(err)
		object, err := objects.Open(ctx, oid, pgx.LargeObjectModeRead|pgx.LargeObjectModeWrite)
		check(err)
		data := []byte(strings.Repeat("0123456789", 5000))
		n, err := object.Write(data)
		check(err)
		equal(n, len(data))
		at, err := object.Seek(-15, 2)
		check(err)
		equal(at, int64(len(data)-15))
		read := make([]byte, 10)
		n, err = object.Read(read)
		check(err)
		equal(string(read[:n]), "5678901234")
		check(object.Truncate(5))
		at, err = object.Seek(0, 2)
		check(err)
		equal(at, int64(5))
		check(object.Close())
		check(tx.Commit(ctx))
		equal(rows(conn, "SELECT convert_from(lo_get($1), 'UTF8')", oid), list{{"01234"}})
		tx, err = conn.Begin(ctx)
		check(err)
		objects = tx.LargeObjects()
		check(objects.Unlink(ctx, oid))
		check(tx.Commit(ctx))
		fails("42704", conn, "SELECT lo_get($1)", oid)
	})
	feature("batches", func() {
		conn := connect()
		defer conn.Close(ctx)
		run(conn, "CREATE TABLE batched (a int PRIMARY KEY)")
		batch := &pgx.Batch{}
		for i := 0; i < 300; i++ {
			batch.Queue("INSERT INTO batched VALUES ($1)", i)
		}
		batch.Queue("SELECT count(*) FROM batched WHERE a < $1", 100)
		results := conn.SendBatch(ctx, batch)
		for i := 0; i < 300; i++ {
			_, err := results.Exec()
			check(err)
		}
		var count int
		check(results.QueryRow().Scan(&count))
		check(results.Close())
		equal(count, 100)
		// One that fails takes the others with it.
		batch = &pgx.Batch{}
		batch.Queue("INSERT INTO batched VALUES ($1)", 1000)
		batch.Queue("INSERT INTO batched VALUES ($1)", 1)
		raises("23505", conn.SendBatch(ctx, batch).Close())
		equal(rows(conn, "SELECT count(*) FROM batched"), list{{int64(300)}})
	})
	feature("pool", func() {
		pool, err := pgxpool.Connect(ctx, "pool_max_conns=4")
		check(err)
		defer pool.Close()
		_, err = pool.Exec(ctx, "CREATE TABLE pooled (n int)")
		check(err)
		_, err = pool.Exec(ctx, "INSERT INTO pooled VALUES (0)")
		check(err)
		var all sync.WaitGroup
		failed := make(chan error, 40)
		for i := 0; i < 40; i++ {
			all.Add(1)
			go func() {
				defer all.Done()
				if _, err := pool.Exec(ctx, "UPDATE pooled SET n = n + $1", 1); err != nil {
					failed <- err
				}
			}()
		}
		all.Wait()
		equal(len(failed), 0)
		var n int
		check(pool.QueryRow(ctx, "SELECT n FROM pooled").Scan(&n))
		equal(n, 40)
	})
}

func types() {
	conn := connect()
	defer conn.Close(ctx)
	utc := time.Date(2024, 2, 29, 1, 2, 3, 456789000, time.UTC)
	_, network, err := net.ParseCIDR("10.1.0.0/16")
	check(err)
	numeric := func(text string) interface{} {
		var n pgtype.Numeric
		check(n.Set(text))
		return n
	}
	id := [16]byte{0x12, 0x34, 15: 0x78}
	bounds := func(low, high string) interface{} {
		var r pgtype.Int4range
		check(r.Set("[" + low + "," + high + ")"))
		return r
	}
	// Sent, and what comes back when that is of another kind.
	values := []struct {
		kind        string
		sent, found interface{}
	}{
		{"int2", int16(-32767), nil}, {"int4", int32(2147483647), nil}, {"int8", int64(-1 << 63), nil}, {"float4", float32(0.5), nil}, {"float8", 0.1, nil},
		{"numeric", numeric("12345678901234567890.123456789"), nil}, {"bool", true, nil}, {"text", "täxt 'quoted' \\ \n", nil}, {"varchar(10)", "short", nil},
		{"char(3)", "ab ", nil}, {"bytea", []byte("\x00\xff\\'"), nil}, {"date", time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC), nil},
		{"timestamp", utc, nil}, {"timestamptz", utc, nil}, {"time", pgtype.Time{Microseconds: 86399999999, Status: pgtype.Present}, int64(86399999999)},
		{"interval", pgtype.Interval{Months: 14, Days: 3, Microseconds: 7000011, Status: pgtype.Present}, nil},
		{"uuid", id, nil}, {"inet", network, nil}, {"cidr", network, nil}, {"oid", uint32(4294967295), nil},
		{"jsonb", map[string]interface{}{"a": []interface{}{1.0, nil, "x"}}, nil}, {"json", map[string]interface{}{"b": 2.0}, nil},
		{"int4[]", []int32{1, 2}, nil}, {"text[]", []string{"a,b", "c\"d", "NULL", ""}, nil}, {"uuid[]", [][16]byte{id}, nil}, {"timestamptz[]", []time.Time{utc}, nil},
		{"int4[]", [][]int32{{1, 2}, {3, 4}}, nil}, {"numeric[]", []string{"1.5", "2"}, nil}, {"int4range", bounds("1", "5"), nil},
		{"point", pgtype.Point{P: pgtype.Vec2{X: 1.5, Y: -2}, Status: pgtype.Present}, nil}, {"varbit", pgtype.Varbit{Bytes: []byte{0xa0}, Len: 3, Status: pgtype.Present}, nil},
		{"macaddr", net.HardwareAddr{8, 0, 0x2b, 1, 2, 3}, nil}, {"\"char\"", "c", nil}, {"name", "name", nil}, {"int8", nil, nil},
	}
	columns, marks, sent := []string{}, []string{}, []interface{}{}
	for i, value := range values {
		columns = append(columns, fmt.Sprintf("c%d %s", i, value.kind))
		marks = append(marks, fmt.Sprintf("$%d", i+1))
		sent = append(sent, value.sent)
	}
	run(conn, "CREATE TABLE types ("+strings.Join(columns, ", ")+")")
	insert := "INSERT INTO types VALUES (" + strings.Join(marks, ", ") + ")"
	equal(run(conn, insert, sent...), int64(1))
	// Once more as text within the statement's own text, which says the same.
	run(conn, insert, append([]interface{}{pgx.QuerySimpleProtocol(true)}, textsOf(sent)...)...)
	for _, row := range rows(conn, "SELECT * FROM types") {
		for i, value := range values {
			for _, array := range []string{"[]", "interval", "numeric", "range", "point", "varbit", "macaddr", "char\"", "json", "inet", "cidr"} {
				if strings.Contains(value.kind, array) {
					goto next
				}
			}
			if value.found == nil {
				value.found = value.sent
			}
			if at, is := row[i].(time.Time); is {
				row[i] = at.UTC()
			}
			equal(row[i], value.found)
		next:
		}
	}
	// What is not one Go type compares in the server, where each parameter is sent as its type's bytes.
	conditions := []string{}
	for i, value := range values {
		equals := "c%d = $%d"
		if value.kind == "json" || value.kind == "point" || value.sent == nil {
			equals = "c%d::text IS NOT DISTINCT FROM $%d::" + value.kind + "::text"
		}
		conditions = append(conditions, fmt.Sprintf(equals, i, i+1))
	}
	equal(rows(conn, "SELECT count(*) FROM types WHERE "+strings.Join(conditions, " AND "), sent...), list{{int64(2)}})
	equal(run(conn, "UPDATE types SET c1 = c1 - $1 WHERE c0 = $2", 1, -32767), int64(2))
	equal(run(conn, "DELETE FROM types WHERE c1 = $1", 2147483646), int64(2))
}

func textsOf(values []interface{}) []interface{} {
	out := append([]interface{}{}, values...)
	for i, value := range out {
		switch v := value.(type) {
		case [16]byte:
			out[i] = pgtype.UUID{Bytes: v, Status: pgtype.Present}
		case []int32, [][]int32:
			var a pgtype.Int4Array
			check(a.Set(v))
			out[i] = a
		case []string:
			var a pgtype.TextArray
			check(a.Set(v))
			out[i] = a
		case [][16]byte:
			var a pgtype.UUIDArray
			check(a.Set(v))
			out[i] = a
		case []time.Time:
			var a pgtype.TimestamptzArray
			check(a.Set(v))
			out[i] = a
		case map[string]interface{}:
			text, err := json.Marshal(v)
			check(err)
			out[i] = string(text)
		case *net.IPNet:
			out[i] = v.String()
		case net.HardwareAddr:
			out[i] = v.String()
		case uint32:
			out[i] = int64(v)
		}
	}
	return out
}

func main() { runFeatures() }
