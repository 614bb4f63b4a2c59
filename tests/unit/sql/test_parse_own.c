// SPDX-License-Identifier: GPL-3.0-or-later
//
// The statements that PostgreSQL lacks: text to tree to text.
#include "tests/unit/sql/round_trip.h"

Test(parse, virtual_clusters_and_settings)
{
    static const struct row rows[] = {
        {"CREATE VIRTUAL CLUSTER application", NULL},
        {"CREATE TENANT IF NOT EXISTS \"my-app\" LIKE template",
            "CREATE VIRTUAL CLUSTER IF NOT EXISTS \"my-app\" LIKE template"},
        {"CREATE VIRTUAL CLUSTER 'my-app'", "CREATE VIRTUAL CLUSTER \"my-app\""},
        {"CREATE VIRTUAL CLUSTER $1 LIKE [$2]", NULL},
        {"CREATE VIRTUAL CLUSTER ('a' || 'b')", NULL},
        {"CREATE VIRTUAL CLUSTER application LIKE template FROM REPLICATION OF application "
         "ON "
         "'postgresql://u:p@h:26257?options=-ccluster%3Dsystem&sslmode=verify-full&sslrootce"
         "rt=x' WITH RETENTION = '4h', READ VIRTUAL CLUSTER",
            NULL},
        {"CREATE VIRTUAL CLUSTER a FROM REPLICATION OF b ON 'external://x' WITH OPTIONS "
         "(RETENTION = '1h', EXPIRATION WINDOW = '2h')",
            "CREATE VIRTUAL CLUSTER a FROM REPLICATION OF b ON 'external://x' WITH RETENTION = "
            "'1h', EXPIRATION WINDOW = '2h'"},
        {"CREATE VIRTUAL CLUSTER a FROM REPLICATION OF b ON conn",
            "CREATE VIRTUAL CLUSTER a FROM REPLICATION OF b ON 'conn'"},
        {"ALTER VIRTUAL CLUSTER a RENAME TO b", NULL},
        {"ALTER VIRTUAL CLUSTER a START SERVICE SHARED", NULL},
        {"ALTER VIRTUAL CLUSTER [3] START SERVICE EXTERNAL", NULL},
        {"ALTER VIRTUAL CLUSTER a STOP SERVICE", NULL},
        {"ALTER VIRTUAL CLUSTER a PAUSE REPLICATION; ALTER TENANT a RESUME REPLICATION",
            "ALTER VIRTUAL CLUSTER a PAUSE REPLICATION; ALTER VIRTUAL CLUSTER a RESUME "
            "REPLICATION"},
        {"ALTER VIRTUAL CLUSTER a COMPLETE REPLICATION TO LATEST", NULL},
        {"ALTER VIRTUAL CLUSTER a COMPLETE REPLICATION TO SYSTEM TIME '-1h'", NULL},
        {"ALTER VIRTUAL CLUSTER a COMPLETE REPLICATION TO SYSTEM TIME "
         "1695922878030920020.0000000000",
            NULL},
        {"ALTER VIRTUAL CLUSTER a COMPLETE REPLICATION TO SYSTEM TIME now() + '1h'::interval",
            "ALTER VIRTUAL CLUSTER a COMPLETE REPLICATION TO SYSTEM TIME now() + "
            "('1h'::interval)"},
        {"ALTER VIRTUAL CLUSTER a SET REPLICATION RETENTION = '4h', EXPIRATION WINDOW = '1h'",
            NULL},
        {"ALTER VIRTUAL CLUSTER a SET REPLICATION READ VIRTUAL CLUSTER", NULL},
        {"ALTER VIRTUAL CLUSTER a START REPLICATION OF b ON 'postgresql://x' WITH RETENTION "
         "= '1h'",
            NULL},
        {"ALTER VIRTUAL CLUSTER a RESET DATA TO SYSTEM TIME '-1h'", NULL},
        {"ALTER VIRTUAL CLUSTER a SET CLUSTER SETTING sql.defaults.x = true", NULL},
        {"ALTER VIRTUAL CLUSTER ALL SET CLUSTER SETTING a.b TO DEFAULT",
            "ALTER VIRTUAL CLUSTER ALL SET CLUSTER SETTING a.b = DEFAULT"},
        {"ALTER VIRTUAL CLUSTER \"all\" RESET CLUSTER SETTING a.b", NULL},
        {"ALTER VIRTUAL CLUSTER a GRANT CAPABILITY can_admin_split, can_admin_unsplit = "
         "false",
            NULL},
        {"ALTER VIRTUAL CLUSTER a GRANT CAPABILITY span_config_bounds = "
         "crdb_internal.json_to_pb('x', '{}')",
            NULL},
        {"ALTER VIRTUAL CLUSTER a REVOKE CAPABILITY can_admin_split, x", NULL},
        {"ALTER VIRTUAL CLUSTER a GRANT ALL CAPABILITIES; ALTER VIRTUAL CLUSTER a REVOKE "
         "ALL CAPABILITIES",
            NULL},
        {"DROP VIRTUAL CLUSTER IF EXISTS a IMMEDIATE", NULL},
        {"DROP VIRTUAL CLUSTER [5]", NULL},
        {"SHOW VIRTUAL CLUSTERS", NULL},
        {"SHOW TENANTS WITH CAPABILITIES", "SHOW VIRTUAL CLUSTERS WITH CAPABILITIES"},
        {"SHOW VIRTUAL CLUSTER a WITH REPLICATION STATUS, PRIOR REPLICATION DETAILS, "
         "CAPABILITIES",
            NULL},
        {"SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER a WITH START TIMESTAMP '1'", NULL},
        {"SELECT * FROM [SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main] AS OF "
         "SYSTEM TIME '1704816945291575000.0000000000'",
            NULL},
        {"SELECT fingerprint FROM [SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER "
         "main] AS OF SYSTEM TIME $1 WHERE a = $2",
            "SELECT fingerprint FROM [SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER "
            "main] WHERE a = $2 AS OF SYSTEM TIME $1"},
        {"BACKUP VIRTUAL CLUSTER a INTO 'nodelocal://1/x' AS OF SYSTEM TIME '-1s'", NULL},
        {"RESTORE VIRTUAL CLUSTER a FROM LATEST IN 'x' WITH virtual_cluster_name = 'b'", NULL},
        {"SET CLUSTER SETTING kv.rangefeed.enabled = true", NULL},
        {"SET CLUSTER SETTING server.controller.default_target_cluster = 'application'", NULL},
        {"SET CLUSTER SETTING a.b TO DEFAULT; RESET CLUSTER SETTING a.b",
            "SET CLUSTER SETTING a.b = DEFAULT; RESET CLUSTER SETTING a.b"},
        {"SET CLUSTER SETTING a.b = '64 MiB'", NULL},
        {"SET CLUSTER SETTING a.b = off", "SET CLUSTER SETTING a.b = 'off'"},
        {"SHOW CLUSTER SETTING a.b", NULL},
        {"SHOW CLUSTER SETTING a.b FOR VIRTUAL CLUSTER x", NULL},
        {"SHOW ALL CLUSTER SETTINGS FOR VIRTUAL CLUSTER [3]", NULL},
        {"SHOW PUBLIC CLUSTER SETTINGS", "SHOW CLUSTER SETTINGS"},
        {"SHOW CLUSTER SETTINGS", NULL},
        {"GRANT SYSTEM MANAGEVIRTUALCLUSTER, REPLICATION TO u WITH GRANT OPTION", NULL},
        {"SHOW SESSIONS; SHOW ALL CLUSTER SESSIONS; SHOW LOCAL SESSIONS", NULL},
        {"SHOW QUERIES; SHOW CLUSTER STATEMENTS; SHOW TRANSACTIONS",
            "SHOW STATEMENTS; SHOW CLUSTER STATEMENTS; SHOW TRANSACTIONS"},
    };
    check(rows, sizeof rows / sizeof rows[0]);
}

Test(parse, show_jobs_zones_and_backups)
{
    static const struct row rows[] = {
        {"SHOW EXPERIMENTAL_FINGERPRINTS FROM TABLE s.t", NULL},
        {"BACKUP INTO LATEST IN 'userfile:///x' AS OF SYSTEM TIME '-10s' WITH "
         "revision_history, encryption_passphrase = 'secret', detached",
            NULL},
        {"BACKUP DATABASE a, b INTO ('s3://x?AWS_SECRET_ACCESS_KEY=k', 's3://y')", NULL},
        {"BACKUP TABLE t INTO 'x' WITH include_all_virtual_clusters = true", NULL},
        {"RESTORE FROM LATEST IN 'x'", NULL},
        {"RESTORE TABLE d.t FROM '2020/01/01' IN 'x' AS OF SYSTEM TIME '-1h' WITH into_db = "
         "'y'",
            NULL},
        {"SHOW BACKUPS IN 'x'", NULL},
        {"SHOW BACKUP FROM LATEST IN 'x'", "SHOW BACKUP FROM 'latest' IN 'x'"},
        {"REVOKE GRANT OPTION FOR SYSTEM ALL PRIVILEGES FROM u, v",
            "REVOKE GRANT OPTION FOR SYSTEM ALL FROM u, v"},
        {"SHOW SYSTEM GRANTS FOR u", NULL},
        {"SHOW DEFAULT PRIVILEGES FOR ROLE u", "SHOW DEFAULT PRIVILEGES FOR u"},
        {"SHOW DATABASES WITH COMMENT", NULL},
        {"SHOW SCHEMAS FROM d", NULL},
        {"SHOW TABLES; SHOW TABLES FROM d; SHOW TABLES FROM d.s WITH COMMENT", NULL},
        {"SHOW COLUMNS FROM s.t", "SHOW COLUMNS FROM TABLE s.t"},
        {"SHOW INDEXES FROM t; SHOW INDEX FROM DATABASE d; SHOW KEYS FROM t",
            "SHOW INDEXES FROM TABLE t; SHOW INDEXES FROM DATABASE d; SHOW INDEXES FROM TABLE t"},
        {"SHOW CONSTRAINTS FROM t", "SHOW CONSTRAINTS FROM TABLE t"},
        {"SHOW CREATE TABLE t; SHOW CREATE t; SHOW CREATE VIEW v; SHOW CREATE ALL TABLES; "
         "SHOW CREATE DATABASE d; SHOW CREATE table",
            "SHOW CREATE TABLE t; SHOW CREATE TABLE t; SHOW CREATE VIEW v; SHOW CREATE ALL "
            "TABLES; SHOW CREATE DATABASE d; SHOW CREATE TABLE \"table\""},
        {"SHOW SEQUENCES; SHOW TYPES; SHOW ENUMS; SHOW FUNCTIONS; SHOW USERS; SHOW ROLES", NULL},
        {"SHOW GRANTS; SHOW GRANTS ON t, u FOR a; SHOW GRANTS ON DATABASE d; SHOW GRANTS ON "
         "ROLE; SHOW GRANTS ON ROLE admin FOR u; SHOW GRANTS FOR u",
            "SHOW GRANTS; SHOW GRANTS ON TABLE t, u FOR a; SHOW GRANTS ON DATABASE d; SHOW "
            "GRANTS ON ROLE; SHOW GRANTS ON ROLE admin FOR u; SHOW GRANTS FOR u"},
        {"SHOW JOBS; SHOW JOB 1; SHOW JOB WHEN COMPLETE 5; SHOW JOBS WHEN COMPLETE (SELECT "
         "1); SHOW AUTOMATIC JOBS; SHOW JOBS (SELECT 1); SHOW JOBS SELECT 1; SHOW JOB $1",
            "SHOW JOBS; SHOW JOB 1; SHOW JOB WHEN COMPLETE 5; SHOW JOBS WHEN COMPLETE (SELECT "
            "1); SHOW AUTOMATIC JOBS; SHOW JOBS (SELECT 1); SHOW JOBS (SELECT 1); SHOW JOB $1"},
        {"SHOW CLUSTER RANGES WITH DETAILS", "SHOW CLUSTER RANGES WITH DETAILS"},
        {"SHOW RANGES; SHOW RANGES FROM TABLE t WITH DETAILS, KEYS; SHOW RANGES FROM INDEX "
         "t@i; SHOW RANGES FROM DATABASE d WITH TABLES, INDEXES, EXPLAIN; SHOW RANGES FROM "
         "CURRENT_CATALOG",
            "SHOW RANGES; SHOW RANGES FROM TABLE t WITH KEYS, DETAILS; SHOW RANGES FROM INDEX "
            "t@i; SHOW RANGES FROM DATABASE d WITH TABLES, INDEXES, EXPLAIN; SHOW RANGES FROM "
            "CURRENT_CATALOG"},
        {"SHOW STATISTICS USING JSON FOR TABLE t", NULL},
        {"SHOW ZONE CONFIGURATIONS; SHOW ZONE CONFIGURATION FROM RANGE default; SHOW ZONE "
         "CONFIGURATION FOR TABLE t",
            "SHOW ZONE CONFIGURATIONS; SHOW ZONE CONFIGURATION FROM RANGE default; SHOW ZONE "
            "CONFIGURATION FROM TABLE t"},
        {"SHOW SAVEPOINT STATUS; SHOW TRANSACTION STATUS; SHOW TRANSFER STATE WITH 'key'",
            "SHOW SAVEPOINT STATUS; SHOW TRANSACTION STATUS; SHOW TRANSFER STATE WITH '*****'"},
        {"SHOW virtual_cluster_name; SHOW server_version", NULL},
        {"SHOW JOBS AS OF SYSTEM TIME '-1s'", NULL},
        {"ALTER RANGE default CONFIGURE ZONE USING gc.ttlseconds = 600, num_replicas = COPY "
         "FROM PARENT, constraints = '[]'",
            NULL},
        {"ALTER TABLE s.t CONFIGURE ZONE DISCARD; ALTER INDEX t@i CONFIGURE ZONE USING "
         "num_replicas = 3; ALTER DATABASE d CONFIGURE ZONE USING gc.ttlseconds = 5; ALTER "
         "PARTITION p OF TABLE t CONFIGURE ZONE USING num_replicas = 1",
            NULL},
        {"ALTER TABLE t SPLIT AT VALUES (1), (2, 'x') WITH EXPIRATION '1h'", NULL},
        {"ALTER INDEX t@i SPLIT AT SELECT 1", NULL},
        {"ALTER TABLE t UNSPLIT ALL; ALTER TABLE t UNSPLIT AT VALUES (1); ALTER TABLE t "
         "SCATTER; ALTER TABLE t SCATTER FROM (1) TO (2, 3)",
            NULL},
        {"ALTER RANGE 5 RELOCATE LEASE TO 2; ALTER RANGE 5 RELOCATE FROM 1 TO 2; ALTER RANGE RELOCATE VOTERS FROM "
         "1 TO $1 FOR SELECT 5",
            "ALTER RANGE 5 RELOCATE LEASE TO 2; ALTER RANGE 5 RELOCATE VOTERS FROM 1 TO 2; ALTER RANGE RELOCATE "
            "VOTERS FROM 1 TO $1 FOR SELECT 5"},
        {"PAUSE JOB 1; RESUME JOB (2); CANCEL JOB $1; PAUSE JOBS (SELECT 1); CANCEL JOBS "
         "SELECT 1; PAUSE ALL backup JOBS; PAUSE JOB 1 WITH REASON = 'x'",
            "PAUSE JOB 1; RESUME JOB 2; CANCEL JOB $1; PAUSE JOBS (SELECT 1); CANCEL JOBS "
            "(SELECT 1); PAUSE ALL backup JOBS; PAUSE JOB 1 WITH REASON = 'x'"},
        {"CANCEL QUERY 'x'; CANCEL QUERIES IF EXISTS (SELECT 1); CANCEL SESSION IF EXISTS "
         "'y'; CANCEL SESSIONS SELECT 1; CANCEL QUERY (SELECT 1)",
            "CANCEL QUERY 'x'; CANCEL QUERIES IF EXISTS (SELECT 1); CANCEL SESSION IF EXISTS "
            "'y'; CANCEL SESSIONS (SELECT 1); CANCEL QUERIES (SELECT 1)"},
        {"SELECT * FROM t@i AS x, u@{FORCE_INDEX=j,NO_FULL_SCAN}, v@{NO_FULL_SCAN}", NULL},
        {"SELECT * FROM [SHOW JOBS] AS j(a), [INSERT INTO t VALUES (1) RETURNING a] JOIN "
         "[SHOW DATABASES] ON true",
            NULL},
        {"SELECT * FROM a AS OF SYSTEM TIME '-1s', b",
            "SELECT * FROM a, b AS OF SYSTEM TIME '-1s'"},
    };
    check(rows, sizeof rows / sizeof rows[0]);
}

// Passwords and the secrets of URIs do not reach logs and job descriptions.
Test(parse, redaction_hides_secrets)
{
    static const struct row rows[] = {
        {"CREATE VIRTUAL CLUSTER a FROM REPLICATION OF b ON "
         "'postgresql://user:p@ss@host:26257/d?options=-ccluster%3Dsystem&sslmode=verify-full&"
         "sslrootcert=x'",
            "CREATE VIRTUAL CLUSTER a FROM REPLICATION OF b ON "
            "'postgresql://user:redacted@host:26257/d?options=-ccluster%3Dsystem&"
            "sslmode=verify-full&sslrootcert=redacted'"},
        {"BACKUP INTO 's3://b?AWS_SECRET_ACCESS_KEY=k' WITH encryption_passphrase = 'x'",
            "BACKUP INTO 's3://b?AWS_SECRET_ACCESS_KEY=redacted' WITH encryption_passphrase = "
            "'*****'"},
        {"CREATE VIRTUAL CLUSTER a FROM REPLICATION OF b ON 'external://name'", NULL},
        {"CREATE USER u WITH PASSWORD 'secret'", "CREATE USER u WITH PASSWORD '*****'"},
        {"ALTER USER u WITH PASSWORD NULL", NULL},
        {"EXPLAIN SELECT 'secret'", NULL},
    };
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *want = rows[i].want == NULL ? rows[i].text : rows[i].want;
        cr_expect_str_eq(
            round_trip(&arena, rows[i].text, DEPARSE_REDACT), want, "%s", rows[i].text);
    }
    cr_expect_str_eq(round_trip(&arena, "SELECT a FROM t WHERE b = 'x' AND c = 5 AND d IS NULL",
                         DEPARSE_HIDE_LITERALS),
        "SELECT a FROM t WHERE (b = _) AND (c = _) AND (d IS NULL)");
    arena_fini(&arena);
}
