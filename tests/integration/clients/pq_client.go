// SPDX-License-Identifier: GPL-3.0-or-later
// Go's database/sql over lib/pq, as most of Go's ORMs and migration tools use it.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/lib/pq"
)

var ctx = context.Background()
var db *sql.DB

func run(sql string, values ...interface{}) int64 {
	done, err := db.Exec(sql, values...)
	check(err)
	count, err := done.RowsAffected()
	check(err)
	return count
}

func one(text string, values ...interface{}) (found string) {
	check(db.QueryRow(text, values...).Scan(&found))
	return found
}

func fails(code, text string, values ...interface{}) *pq.Error {
	_, err := db.Exec(text, values...)
	if err == nil || string(err.(*pq.Error).Code) != code {
		panic(fmt.Errorf("got %v for %s, wanted %s", err, text, code))
	}
	return err.(*pq.Error)
}

func init() {
	feature("connect", func() {
		equal(one("SELECT current_user"), "app")
		wrong, err := sql.Open("postgres", "password=wrong")
		check(err)
		defer wrong.Close()
		equal(wrong.Ping().(*pq.Error).Code, pq.ErrorCode("28P01"))
	})
	feature("ddl", func() {
		run(`CREATE SCHEMA two;
			CREATE TABLE two.item (id serial PRIMARY KEY, name varchar(20) NOT NULL UNIQUE, price numeric(10,2) CHECK (price >= 0));
			CREATE INDEX item_price ON two.item (price DESC) WHERE price > 10;
			ALTER TABLE two.item ADD COLUMN note text, ALTER COLUMN name TYPE text;
			CREATE VIEW two.cheap AS SELECT name FROM two.item WHERE price < 10`)
		equal(one("INSERT INTO two.item (name, price) VALUES ($1, $2) RETURNING id", "a", 1), "1")
		equal(one("SELECT * FROM two.cheap"), "a")
		run("DROP SCHEMA two CASCADE")
	})
	feature("migrations", migrations)
	feature("types", types)
	feature("transactions", func() {
		run("CREATE TABLE counter (id int PRIMARY KEY, n int)")
		run("INSERT INTO counter VALUES (1, 0)")
		t, err := db.Begin()
		check(err)
		_, err = t.Exec("UPDATE counter SET n = 5")
		check(err)
		equal(one("SELECT n FROM counter"), "0")
		check(t.Rollback())
		for _, level := range []sql.IsolationLevel{sql.LevelDefault, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable} {
			t, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: level})
			check(err)
			_, err = t.Exec("UPDATE counter SET n = n + $1", 1)
			check(err)
			check(t.Commit())
		}
		equal(one("SELECT n FROM counter"), "4")
		t, err = db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
		check(err)
		_, err = t.Exec("UPDATE counter SET n = 9")
		equal(err.(*pq.Error).Code.Name(), "read_only_sql_transaction")
		check(t.Rollback())
	})
	feature("savepoints", func() {
		run("CREATE TABLE saved (a int PRIMARY KEY)")
		t, err := db.Begin()
		check(err)
		_, err = t.Exec("INSERT INTO saved VALUES (1); SAVEPOINT s")
		check(err)
		_, err = t.Exec("INSERT INTO saved VALUES ($1)", 1)
		equal(err.(*pq.Error).Code, pq.ErrorCode("23505"))
		_, err = t.Exec("ROLLBACK TO SAVEPOINT s")
		check(err)
		_, err = t.Exec("INSERT INTO saved VALUES ($1)", 2)
		check(err)
		check(t.Commit())
		equal(one("SELECT sum(a) FROM saved"), "3")
	})
	feature("prepared statements", func() {
		plus, err := db.Prepare("SELECT $1::int4 + $2::int8")
		check(err)
		defer plus.Close()
		for i := int64(0); i < 10; i++ {
			var sum int64
			check(plus.QueryRow(i, 3).Scan(&sum))
			equal(sum, i+3)
		}
		_, err = db.Prepare("SELECT nothing")
		equal(err.(*pq.Error).Code, pq.ErrorCode("42703"))
	})
	feature("errors", func() {
		run("CREATE TABLE parent (id int PRIMARY KEY)")
		run("CREATE TABLE child (id int PRIMARY KEY, p int NOT NULL CONSTRAINT child_parent REFERENCES parent, n int CONSTRAINT positive CHECK (n > 0))")
		run("INSERT INTO parent VALUES (1)")
		equal(fails("23505", "INSERT INTO parent VALUES ($1)", 1).Constraint, "parent_pkey")
		equal(fails("23503", "INSERT INTO child VALUES (2, 9)").Constraint, "child_parent")
		equal(fails("23514", "INSERT INTO child VALUES (2, 1, $1)", -1).Constraint, "positive")
		equal(fails("23502", "INSERT INTO child VALUES (2, $1)", nil).Column, "p")
		equal(fails("42P01", "SELECT * FROM nowhere").Position, "15")
		fails("42601", "SELEC")
		fails("22012", "SELECT 1 / $1", 0)
		fails("2BP01", "DROP TABLE parent")
	})
	feature("cancel", func() {
		wait, stop := context.WithTimeout(ctx, 50*time.Millisecond)
		defer stop()
		_, err := db.ExecContext(wait, "SELECT pg_sleep(60)")
		if err == nil || !strings.Contains(err.Error(), "canceling statement due to user request") {
			panic(err)
		}
		equal(one("SELECT 1"), "1")
	})
	feature("bulk load", func() {
		run("CREATE TABLE bulk (a int, b text)")
		t, err := db.Begin()
		check(err)
		rows, err := t.Prepare(pq.CopyIn("bulk", "a", "b"))
		check(err)
		for i := 0; i < 20000; i++ {
			_, err = rows.Exec(i, fmt.Sprint("line\t", i))
			check(err)
		}
		done, err := rows.Exec()
		check(err)
		count, err := done.RowsAffected()
		check(err)
		equal(count, int64(20000))
		check(rows.Close())
		check(t.Commit())
		equal(one("SELECT b FROM bulk WHERE a = 19999"), "line\t19999")
		t, err = db.Begin()
		check(err)
		rows, err = t.Prepare(pq.CopyIn("bulk", "a", "b"))
		check(err)
		_, err = rows.Exec("x", "y")
		check(err)
		_, err = rows.Exec()
		equal(err.(*pq.Error).Code, pq.ErrorCode("22P02"))
		check(t.Rollback())
	})
	feature("streaming", func() {
		found, err := db.Query("SELECT i, repeat('x', $1) FROM generate_series(1, 20000) AS i", 100)
		check(err)
		sum := int64(0)
		for found.Next() {
			var i int64
			var text string
			check(found.Scan(&i, &text))
			sum += i
		}
		check(found.Err())
		equal(sum, int64(20000*20001/2))
	})
	feature("introspection", func() {
		run("CREATE TABLE seen (a int, b varchar(7), c numeric(6,2))")
		found, err := db.Query("SELECT a, b, c, 1 AS d FROM seen")
		check(err)
		kinds, err := found.ColumnTypes()
		check(err)
		check(found.Close())
		text := ""
		for _, kind := range kinds {
			length, _ := kind.Length()
			precision, scale, _ := kind.DecimalSize()
			text += fmt.Sprint(kind.Name(), " ", kind.DatabaseTypeName(), " ", length, " ", precision, ",", scale, "; ")
		}
		equal(text, "a INT4 0 0,0; b VARCHAR 7 0,0; c NUMERIC 0 6,2; d INT4 0 0,0; ")
	})
}

// What Go's migration tools do: a table of versions, a lock that others wait for, each step a transaction.
func migrations() {
	steps := []string{"CREATE TABLE author (id bigserial PRIMARY KEY, name text NOT NULL UNIQUE)",
		"CREATE TABLE book (id bigserial PRIMARY KEY, author_id bigint REFERENCES author ON DELETE CASCADE, title text); CREATE INDEX ON book (title)",
		"ALTER TABLE author ADD COLUMN born date; ALTER TABLE book RENAME COLUMN title TO name"}
	migrate := func() {
		session, err := db.Conn(ctx)
		check(err)
		defer session.Close()
		_, err = session.ExecContext(ctx, "SELECT pg_advisory_lock($1)", 4711)
		check(err)
		defer session.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", 4711)
		_, err = session.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS "public"."schema_migrations" (version bigint not null primary key, dirty boolean not null)`)
		check(err)
		done := 0
		check(session.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM schema_migrations").Scan(&done))
		for ; done < len(steps); done++ {
			t, err := session.BeginTx(ctx, nil)
			check(err)
			_, err = t.Exec(steps[done])
			check(err)
			_, err = t.Exec("TRUNCATE schema_migrations")
			check(err)
			_, err = t.Exec("INSERT INTO schema_migrations (version, dirty) VALUES ($1, $2)", done+1, false)
			check(err)
			check(t.Commit())
		}
	}
	var all sync.WaitGroup
	failures := make(chan interface{}, 3)
	for i := 0; i < 3; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			defer func() {
				if reason := recover(); reason != nil {
					failures <- reason
				}
			}()
			migrate()
		}()
	}
	all.Wait()
	if len(failures) > 0 {
		panic(<-failures)
	}
	equal(one("SELECT version FROM schema_migrations"), "3")
	equal(one("SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 'book'"), "id,author_id,name")
}

func types() {
	at := time.Date(2024, 2, 29, 1, 2, 3, 456789000, time.UTC)
	values := []struct {
		kind  string
		value interface{}
	}{
		{"int2", int64(-32767)}, {"int4", int64(2147483647)}, {"int8", int64(-1 << 63)}, {"float8", 0.1}, {"bool", true}, {"text", "täxt 'quoted' \\ \n"}, {"varchar(10)", "short"},
		{"bytea", []byte("\x00\xff\\'")}, {"timestamptz", at}, {"timestamp", at}, {"date", at.Truncate(24 * time.Hour)}, {"text", nil},
	}
	columns, marks, sent := []string{}, []string{}, []interface{}{}
	for i, value := range values {
		columns, marks, sent = append(columns, fmt.Sprintf("c%d %s", i, value.kind)), append(marks, fmt.Sprintf("$%d", i+1)), append(sent, value.value)
	}
	columns = append(columns, "n numeric, u uuid, j jsonb, a int8[], t text[], b bytea[], i inet, v interval")
	marks = append(marks, "$13, $14, $15, $16, $17, $18, $19, $20")
	sent = append(sent, "12345678901234567890.123456789", "12345678-1234-5678-1234-567812345678", `{"a": [1, null, "x"]}`, pq.Array([]int64{1, -2}), pq.Array([]string{"a,b", "c\"d", "NULL", ""}),
		pq.Array([][]byte{{0, 255}, {}}), "10.1.2.3/8", "1 mon 3 days 00:00:07")
	for _, extra := range []string{"", "binary_parameters=yes"} {
		var err error
		db, err = sql.Open("postgres", extra)
		check(err)
		run("CREATE TABLE types (" + strings.Join(columns, ", ") + ")")
		equal(run("INSERT INTO types VALUES ("+strings.Join(marks, ", ")+")", sent...), int64(1))
		got, to := make([]interface{}, len(values)), []interface{}{}
		for i := range got {
			to = append(to, &got[i])
		}
		var n, u, j, i, v string
		var a []int64
		var t []string
		var b [][]byte
		check(db.QueryRow("SELECT * FROM types WHERE c0 = $1 AND c8 = $2 AND u = $3 AND a = $4 AND c7 = $5", values[0].value, at, sent[13], sent[15], values[7].value).Scan(
			append(to, &n, &u, &j, pq.Array(&a), pq.Array(&t), pq.Array(&b), &i, &v)...))
		for i, value := range values {
			if found, is := got[i].(time.Time); is {
				got[i] = found.UTC()
			}
			equal(got[i], value.value)
		}
		equal([]interface{}{n, u, j, a, t, b, i, v}, []interface{}{sent[12], sent[13], sent[14], []int64{1, -2}, []string{"a,b", "c\"d", "NULL", ""}, [][]byte{{0, 255}, {}}, sent[18], sent[19]})
		equal(run("UPDATE types SET c1 = c1 - $1 WHERE c0 = $2", 1, -32767), int64(1))
		equal(run("DELETE FROM types WHERE c1 = $1", 2147483646), int64(1))
		run("DROP TABLE types")
	}
}

func main() {
	var err error
	db, err = sql.Open("postgres", "")
	check(err)
	runFeatures()
}
