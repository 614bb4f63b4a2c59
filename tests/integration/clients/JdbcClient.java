// SPDX-License-Identifier: GPL-3.0-or-later
// JDBC: PostgreSQL's driver, with the metadata calls that tools on the JVM live on.
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.math.BigDecimal;
import java.sql.*;
import java.time.*;
import java.util.*;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;
import org.postgresql.util.PGobject;
import org.postgresql.util.PSQLException;

public class JdbcClient {
    interface Body { void run() throws Exception; }

    static final Map<String, Body> features = new LinkedHashMap<>();

    static void equal(Object got, Object wanted) throws Exception {
        equal(got, wanted, "");
    }

    static void equal(Object got, Object wanted, String what) throws Exception {
        boolean same = wanted instanceof byte[] && got instanceof byte[] ? Arrays.equals((byte[]) got, (byte[]) wanted) : Objects.equals(got, wanted);
        if (!same) throw new Exception(what + ": got " + got + ", wanted " + wanted);
    }

    static Connection connect(String... options) throws Exception {
        Map<String, String> env = System.getenv();
        Properties p = new Properties();
        p.setProperty("user", env.get("PGUSER"));
        p.setProperty("password", env.get("PGPASSWORD"));
        p.setProperty("sslmode", env.get("PGSSLMODE"));
        p.setProperty("sslrootcert", env.get("PGSSLROOTCERT"));
        for (int i = 0; i < options.length; i += 2) p.setProperty(options[i], options[i + 1]);
        return DriverManager.getConnection("jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/" + env.get("PGDATABASE"), p);
    }

    static void run(Connection c, String sql) throws Exception {
        try (Statement s = c.createStatement()) { s.execute(sql); }
    }

    static List<List<Object>> rows(ResultSet r, String... columns) throws Exception {
        List<List<Object>> all = new ArrayList<>();
        int count = columns.length == 0 ? r.getMetaData().getColumnCount() : columns.length;
        while (r.next()) {
            List<Object> row = new ArrayList<>();
            for (int i = 0; i < count; i++) row.add(columns.length == 0 ? r.getObject(i + 1) : r.getObject(columns[i]));
            all.add(row);
        }
        r.close();
        return all;
    }

    static List<List<Object>> query(Connection c, String sql) throws Exception {
        try (Statement s = c.createStatement()) { return rows(s.executeQuery(sql)); }
    }

    static PSQLException raises(String code, Body body) throws Exception {
        try {
            body.run();
        } catch (BatchUpdateException e) {
            equal(e.getSQLState(), code, e.getMessage());
            return null;
        } catch (PSQLException e) {
            equal(e.getSQLState(), code, e.getMessage());
            return e;
        }
        throw new Exception("no error, wanted " + code);
    }

    static List<Object> row(Object... values) {
        return Arrays.asList(values);
    }

    static void types(boolean binary) throws Exception {
        try (Connection c = connect("prepareThreshold", binary ? "-1" : "0")) {
            c.setAutoCommit(false);
            Object[][] values = {{"int2", 7}, {"int4", Integer.MIN_VALUE}, {"int8", Long.MAX_VALUE}, {"float4", 0.5f}, {"float8", 0.1},
                {"numeric", new BigDecimal("12345678901234567890.123450")}, {"bool", true}, {"text", "täxt"}, {"varchar", "v"},
                {"bytea", new byte[] {0, -1, 39}}, {"date", java.sql.Date.valueOf("2024-02-29")}, {"time", Time.valueOf("01:02:03")},
                {"timestamp", Timestamp.valueOf("2024-02-29 01:02:03.456789")}, {"uuid", UUID.fromString("12345678-1234-5678-1234-567812345678")},
                {"point", new org.postgresql.geometric.PGpoint(1.5, -2)}, {"box", new org.postgresql.geometric.PGbox(2, 3, 0, 1)},
                {"circle", new org.postgresql.geometric.PGcircle(1, 2, 3)}, {"lseg", new org.postgresql.geometric.PGlseg(0, 0, 1, 1)},
                {"polygon", new org.postgresql.geometric.PGpolygon("((0,0),(1,2),(3,3))")},
                {"path", new org.postgresql.geometric.PGpath("[(0,0),(1,2)]")}};
            for (Object[] value : values) {
                try (PreparedStatement p = c.prepareStatement("SELECT ?::" + value[0])) {
                    for (int i = 0; i < 2; i++) {
                        p.setObject(1, value[1]);
                        ResultSet r = p.executeQuery();
                        r.next();
                        equal(r.getObject(1), value[1], (String) value[0]);
                    }
                }
            }
            OffsetDateTime moment = OffsetDateTime.of(2024, 2, 29, 1, 2, 3, 0, ZoneOffset.UTC);
            try (PreparedStatement p = c.prepareStatement("SELECT ?::timestamptz, ?::date, ?::time, ?::timestamp, ?::int[], ?::text[], ?::jsonb, ?::interval, ?::bit(3), ?::int4range, ?")) {
                p.setObject(1, moment);
                p.setObject(2, LocalDate.of(2024, 2, 29));
                p.setObject(3, LocalTime.of(1, 2, 3));
                p.setObject(4, LocalDateTime.of(2024, 2, 29, 1, 2));
                p.setArray(5, c.createArrayOf("int4", new Integer[] {1, null, 3}));
                p.setArray(6, c.createArrayOf("text", new String[] {"a,b", "c\"d"}));
                PGobject json = new PGobject();
                json.setType("jsonb");
                json.setValue("{\"a\": 1}");
                p.setObject(7, json);
                p.setObject(8, new org.postgresql.util.PGInterval("1 day 02:00:00"));
                p.setString(9, "101");
                p.setString(10, "[1,4]");
                SQLXML xml = c.createSQLXML();
                xml.setString("<a b=\"1\">x</a>");
                p.setSQLXML(11, xml);
                ResultSet r = p.executeQuery();
                r.next();
                equal(r.getObject(1, OffsetDateTime.class).toInstant(), moment.toInstant());
                equal(r.getObject(2, LocalDate.class), LocalDate.of(2024, 2, 29));
                equal(r.getObject(3, LocalTime.class), LocalTime.of(1, 2, 3));
                equal(r.getObject(4, LocalDateTime.class), LocalDateTime.of(2024, 2, 29, 1, 2));
                equal(Arrays.toString((Object[]) r.getArray(5).getArray()), "[1, null, 3]");
                equal(Arrays.toString((Object[]) r.getArray(6).getArray()), "[a,b, c\"d]");
                equal(r.getString(7), "{\"a\": 1}");
                equal(r.getObject(8).toString(), "0 years 0 mons 1 days 2 hours 0 mins 0.0 secs");
                equal(r.getString(9), "101");
                equal(r.getString(10), "[1,5)");
                equal(r.getSQLXML(11).getString(), "<a b=\"1\">x</a>");
                equal(r.getSQLXML(11).getSource(javax.xml.transform.dom.DOMSource.class).getNode().getFirstChild().getNodeName(), "a");
            }
            c.rollback();
        }
    }

    public static void main(String[] arguments) throws Exception {
        features.put("connect", () -> {
            try (Connection c = connect()) {
                equal(query(c, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), List.of(row(true)));
                equal(c.isValid(5), true);
                equal(c.getMetaData().getDatabaseMajorVersion(), 15);
                equal(c.getSchema(), "public");
                c.setClientInfo("ApplicationName", "tests");
                equal(query(c, "SHOW application_name"), List.of(row("tests")));
            }
            raises("28P01", () -> connect("password", "wrong"));
        });
        features.put("ddl", () -> {
            try (Connection c = connect()) {
                run(c, "CREATE TABLE item (id serial PRIMARY KEY, name varchar(20) NOT NULL UNIQUE, price numeric(8,2) DEFAULT 1); CREATE INDEX item_price ON item (price)");
                try (PreparedStatement p = c.prepareStatement("INSERT INTO item (name) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
                    p.setString(1, "a");
                    equal(p.executeUpdate(), 1);
                    equal(rows(p.getGeneratedKeys(), "id", "price"), List.of(row(1, new BigDecimal("1.00"))));
                }
            }
        });
        features.put("types as text", () -> types(false));
        features.put("types as binary", () -> types(true));
        features.put("transactions", () -> {
            try (Connection c = connect(); Connection other = connect()) {
                run(c, "CREATE TABLE counted (n int)");
                c.setAutoCommit(false);
                run(c, "INSERT INTO counted VALUES (1)");
                equal(query(other, "SELECT count(*) FROM counted"), List.of(row(0L)));
                c.rollback();
                for (int level : new int[] {Connection.TRANSACTION_READ_COMMITTED, Connection.TRANSACTION_REPEATABLE_READ, Connection.TRANSACTION_SERIALIZABLE}) {
                    c.setTransactionIsolation(level);
                    run(c, "INSERT INTO counted VALUES (1)");
                    c.commit();
                }
                equal(query(other, "SELECT count(*) FROM counted"), List.of(row(3L)));
                c.setReadOnly(true);
                raises("25006", () -> run(c, "INSERT INTO counted VALUES (1)"));
                c.rollback();
            }
        });
        features.put("savepoints", () -> {
            try (Connection c = connect()) {
                run(c, "CREATE TABLE saved (n int PRIMARY KEY)");
                c.setAutoCommit(false);
                run(c, "INSERT INTO saved VALUES (1)");
                Savepoint s = c.setSavepoint("s");
                raises("23505", () -> run(c, "INSERT INTO saved VALUES (1)"));
                c.rollback(s);
                run(c, "INSERT INTO saved VALUES (2)");
                c.releaseSavepoint(s);
                c.commit();
                equal(query(c, "SELECT count(*) FROM saved"), List.of(row(2L)));
            }
            try (Connection c = connect("autosave", "always")) {
                c.setAutoCommit(false);
                raises("22012", () -> run(c, "SELECT 1/0"));
                equal(query(c, "SELECT 1"), List.of(row(1)));
            }
        });
        features.put("prepared statements", () -> {
            try (Connection c = connect(); PreparedStatement p = c.prepareStatement("SELECT ?::int + 1 AS n, ?::text AS t")) {
                for (int i = 0; i < 20; i++) {
                    p.setInt(1, i);
                    p.setString(2, "x" + i);
                    equal(rows(p.executeQuery()), List.of(row(i + 1, "x" + i)));
                }
                ParameterMetaData meta = p.getParameterMetaData();
                equal(List.of(meta.getParameterTypeName(1), meta.getParameterTypeName(2)), List.of("int4", "varchar"));
                equal(p.getMetaData().getColumnTypeName(2), "text");
                run(c, "CREATE TABLE changing (a int)");
                PreparedStatement q = c.prepareStatement("SELECT * FROM changing");
                for (int i = 0; i < 10; i++) q.executeQuery().close();
                run(c, "ALTER TABLE changing ADD COLUMN b int");
                run(c, "INSERT INTO changing VALUES (1, 2)");
                equal(rows(q.executeQuery()), List.of(row(1, 2)));
            }
        });
        features.put("errors", () -> {
            try (Connection c = connect()) {
                run(c, "CREATE TABLE e (a int PRIMARY KEY, b int NOT NULL CONSTRAINT e_small CHECK (b < 10))");
                run(c, "INSERT INTO e VALUES (1, 1)");
                PSQLException e = raises("23505", () -> run(c, "INSERT INTO e VALUES (1, 1)"));
                equal(List.of(e.getServerErrorMessage().getConstraint(), e.getServerErrorMessage().getTable(), e.getServerErrorMessage().getSchema()),
                    List.of("e_pkey", "e", "public"));
                e = raises("23502", () -> run(c, "INSERT INTO e VALUES (2, NULL)"));
                equal(e.getServerErrorMessage().getColumn(), "b");
                e = raises("23514", () -> run(c, "INSERT INTO e VALUES (2, 11)"));
                equal(e.getServerErrorMessage().getConstraint(), "e_small");
                raises("42P01", () -> run(c, "SELECT * FROM gone"));
                raises("42601", () -> run(c, "SELEC"));
                raises("22012", () -> run(c, "SELECT 1/0"));
                raises("22P02", () -> run(c, "SELECT 'x'::int"));
            }
        });
        features.put("cancel", () -> {
            try (Connection c = connect(); Statement s = c.createStatement()) {
                new java.util.Timer(true).schedule(new TimerTask() {
                    public void run() { try { s.cancel(); } catch (SQLException e) { } }
                }, 100);
                raises("57014", () -> s.execute("SELECT pg_sleep(60)"));
                s.setQueryTimeout(1);
                equal(rows(s.executeQuery("SELECT 1")), List.of(row(1)));
            }
        });
        features.put("bulk load", () -> {
            for (String rewrite : new String[] {"false", "true"}) {
                try (Connection c = connect("reWriteBatchedInserts", rewrite)) {
                    run(c, "DROP TABLE IF EXISTS loaded");
                    run(c, "CREATE TABLE loaded (a int, b text)");
                    c.setAutoCommit(false);
                    PreparedStatement p = c.prepareStatement("INSERT INTO loaded VALUES (?, ?)");
                    for (int i = 0; i < 3000; i++) {
                        p.setInt(1, i);
                        p.setString(2, "line " + i);
                        p.addBatch();
                    }
                    equal(p.executeBatch().length, 3000);
                    CopyManager copy = ((PGConnection) c).getCopyAPI();
                    StringBuilder text = new StringBuilder();
                    for (int i = 0; i < 20000; i++) text.append(-i).append("\tcopied\n");
                    equal(copy.copyIn("COPY loaded FROM STDIN", new StringReader(text.toString())), 20000L);
                    ByteArrayOutputStream out = new ByteArrayOutputStream();
                    equal(copy.copyOut("COPY loaded TO STDOUT (FORMAT binary)", out), 23000L);
                    equal(copy.copyIn("COPY loaded FROM STDIN (FORMAT binary)", new ByteArrayInputStream(out.toByteArray())), 23000L);
                    c.commit();
                    equal(query(c, "SELECT count(*) FROM loaded"), List.of(row(46000L)));
                }
            }
        });
        features.put("streaming", () -> {
            try (Connection c = connect()) {
                c.setAutoCommit(false);
                Statement s = c.createStatement();
                s.setFetchSize(500);
                ResultSet r = s.executeQuery("SELECT i FROM generate_series(1, 50000) AS i");
                long total = 0;
                while (r.next()) total += r.getInt(1);
                equal(total, 50000L * 50001 / 2);
                s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_READ_ONLY);
                r = s.executeQuery("SELECT i FROM generate_series(1, 100) AS i");
                r.absolute(50);
                equal(r.getInt(1), 50);
            }
        });
        features.put("updatable results", () -> {
            try (Connection c = connect()) {
                run(c, "CREATE TABLE changed (a int PRIMARY KEY, b text); INSERT INTO changed VALUES (1, 'x'), (2, 'y')");
                Statement s = c.createStatement(ResultSet.TYPE_SCROLL_SENSITIVE, ResultSet.CONCUR_UPDATABLE);
                ResultSet r = s.executeQuery("SELECT * FROM changed ORDER BY a");
                r.next();
                r.updateString("b", "new");
                r.updateRow();
                r.next();
                r.deleteRow();
                r.moveToInsertRow();
                r.updateInt("a", 3);
                r.updateString("b", "z");
                r.insertRow();
                equal(query(c, "SELECT * FROM changed ORDER BY a"), List.of(row(1, "new"), row(3, "z")));
            }
        });
        features.put("large objects", () -> {
            try (Connection c = connect()) {
                c.setAutoCommit(false);
                org.postgresql.largeobject.LargeObjectManager manager = c.unwrap(org.postgresql.PGConnection.class).getLargeObjectAPI();
                long oid = manager.createLO(org.postgresql.largeobject.LargeObjectManager.READWRITE);
                org.postgresql.largeobject.LargeObject object = manager.open(oid, org.postgresql.largeobject.LargeObjectManager.READWRITE);
                byte[] data = "0123456789".repeat(10000).getBytes();
                object.write(data);
                object.seek(99995);
                equal(new String(object.read(100)), "56789");
                equal(object.size64(), 100000L);
                object.seek64(4000000000L, org.postgresql.largeobject.LargeObject.SEEK_SET);
                equal(object.tell64(), 4000000000L);
                object.truncate(20);
                object.seek(0);
                equal(new String(object.getInputStream().readAllBytes()), "01234567890123456789");
                object.close();
                run(c, "CREATE TABLE document (id int PRIMARY KEY, content oid, body oid)");
                PreparedStatement insert = c.prepareStatement("INSERT INTO document VALUES (1, ?, lo_from_bytea(0, 'a text'))");
                insert.setBlob(1, new java.io.ByteArrayInputStream(data), data.length);
                insert.executeUpdate();
                c.commit();
                ResultSet r = c.createStatement().executeQuery("SELECT content, body FROM document");
                r.next();
                Blob blob = r.getBlob(1);
                equal(blob.length(), 100000L);
                equal(new String(blob.getBytes(12, 5)), "12345");
                equal(blob.position("90123".getBytes(), 1), 10L);
                blob.setBytes(3, "xyz".getBytes());
                blob.truncate(7);
                equal(new String(blob.getBinaryStream().readAllBytes()), "01xyz56");
                equal(r.getClob(2).getSubString(3, 4), "text");
                c.commit();
                manager = c.unwrap(org.postgresql.PGConnection.class).getLargeObjectAPI();
                manager.delete(oid);
                c.commit();
                final org.postgresql.largeobject.LargeObjectManager gone = manager;
                raises("42704", () -> gone.open(oid));
            }
        });
        features.put("introspection", () -> {
            try (Connection c = connect()) {
                run(c, "CREATE TABLE parent (id int PRIMARY KEY, name varchar(20) NOT NULL DEFAULT 'x', price numeric(8,2), made timestamptz, tags text[])");
                run(c, "CREATE TABLE child (a int GENERATED BY DEFAULT AS IDENTITY, b int CONSTRAINT to_parent REFERENCES parent ON DELETE CASCADE, PRIMARY KEY (b, a))");
                run(c, "CREATE INDEX child_a ON child (a DESC)");
                run(c, "CREATE VIEW looking AS SELECT name FROM parent");
                run(c, "CREATE SEQUENCE numbers");
                run(c, "COMMENT ON TABLE parent IS 'above'; COMMENT ON COLUMN parent.name IS 'its name'");
                DatabaseMetaData m = c.getMetaData();
                equal(rows(m.getTables(null, "public", "%aren%", new String[] {"TABLE"}), "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS"),
                    List.of(row("public", "parent", "TABLE", "above")));
                equal(rows(m.getTables(null, "public", "looking", null), "TABLE_TYPE"), List.of(row("VIEW")));
                equal(rows(m.getTables(null, "pg_catalog", "pg_class", null), "TABLE_TYPE"), List.of(row("SYSTEM TABLE")));
                equal(rows(m.getTables(null, null, "numbers", new String[] {"SEQUENCE"}), "TABLE_NAME"), List.of(row("numbers")));
                equal(rows(m.getColumns(null, "public", "parent", "%"), "COLUMN_NAME", "TYPE_NAME", "COLUMN_SIZE", "DECIMAL_DIGITS", "NULLABLE", "COLUMN_DEF", "REMARKS"),
                    List.of(row("id", "int4", 10, 0, 0, null, null), row("name", "varchar", 20, 0, 0, "'x'::character varying", "its name"),
                        row("price", "numeric", 8, 2, 1, null, null), row("made", "timestamptz", 35, 6, 1, null, null),
                        row("tags", "_text", 2147483647, 0, 1, null, null)));
                equal(rows(m.getColumns(null, null, "child", "a"), "IS_AUTOINCREMENT", "ORDINAL_POSITION"), List.of(row("YES", 1)));
                equal(rows(m.getPrimaryKeys(null, null, "child"), "COLUMN_NAME", "KEY_SEQ", "PK_NAME").toString(),
                    "[[b, 1, child_pkey], [a, 2, child_pkey]]");
                List<List<Object>> key = List.of(row("parent", "id", "child", "b", 1, 0, 3, "to_parent", "parent_pkey"));
                String[] columns = {"PKTABLE_NAME", "PKCOLUMN_NAME", "FKTABLE_NAME", "FKCOLUMN_NAME", "KEY_SEQ", "DELETE_RULE", "UPDATE_RULE", "FK_NAME", "PK_NAME"};
                equal(rows(m.getImportedKeys(null, null, "child"), columns).toString(), key.toString());
                equal(rows(m.getExportedKeys(null, null, "parent"), columns).toString(), key.toString());
                equal(rows(m.getCrossReference(null, null, "parent", null, null, "child"), columns).size(), 1);
                equal(rows(m.getIndexInfo(null, null, "child", false, false), "INDEX_NAME", "COLUMN_NAME", "NON_UNIQUE", "ASC_OR_DESC").toString(),
                    "[[child_pkey, b, false, A], [child_pkey, a, false, A], [child_a, a, true, D]]");
                equal(rows(m.getSchemas(), "TABLE_SCHEM").contains(row("public")), true);
                equal(rows(m.getCatalogs(), "TABLE_CAT").contains(row(System.getenv("PGDATABASE"))), true);
                equal(rows(m.getTypeInfo(), "TYPE_NAME").containsAll(List.of(row("int4"), row("text"), row("jsonb"))), true);
                equal(rows(m.getTableTypes()).size() > 5, true);
                equal(rows(m.getFunctions(null, "pg_catalog", "lower"), "FUNCTION_NAME").size() >= 1, true);
                equal(rows(m.getProcedures(null, null, "nothing")).size(), 0);
                equal(rows(m.getFunctionColumns(null, "pg_catalog", "upper", "%")).size() >= 2, true);
                equal(rows(m.getTablePrivileges(null, "public", "parent"), "PRIVILEGE").contains(row("SELECT")), true);
                equal(rows(m.getColumnPrivileges(null, "public", "parent", "id"), "PRIVILEGE").contains(row("UPDATE")), true);
                equal(rows(m.getBestRowIdentifier(null, "public", "parent", DatabaseMetaData.bestRowSession, true), "COLUMN_NAME"), List.of(row("id")));
                equal(rows(m.getVersionColumns(null, "public", "parent")).size(), 1);
                equal(rows(m.getUDTs(null, null, "%", null)).size() >= 0, true);
                equal(rows(m.getClientInfoProperties()).size() > 0, true);
                equal(m.getSQLKeywords().length() > 0 && m.getNumericFunctions().length() > 0 && m.getMaxColumnNameLength() == 63, true);
                ResultSetMetaData r = c.prepareStatement("SELECT id, name AS n, price, made FROM parent").getMetaData();
                equal(List.of(r.getColumnName(2), r.getColumnLabel(2), r.getTableName(1), r.getSchemaName(1), r.getPrecision(3), r.getScale(3), r.isNullable(1),
                    r.getColumnDisplaySize(2), ((org.postgresql.PGResultSetMetaData) r).getBaseColumnName(2)),
                    List.of("n", "n", "parent", "", 8, 2, 0, 20, "name"));
            }
        });
        boolean failed = false;
        for (Map.Entry<String, Body> f : features.entrySet()) {
            if (arguments.length > 0 && !Arrays.asList(arguments).contains(f.getKey())) continue;
            try {
                f.getValue().run();
                System.out.println("ok " + f.getKey());
            } catch (Throwable e) {
                failed = true;
                if (arguments.length > 0) e.printStackTrace();
                String text = (e + "").replaceAll("\\s+", " ");
                System.out.println("not ok " + f.getKey() + ": " + text.substring(0, Math.min(text.length(), 1500)));
            }
        }
        System.exit(failed ? 1 : 0);
    }
}
