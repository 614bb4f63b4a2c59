// SPDX-License-Identifier: GPL-3.0-or-later
//
// pg_catalog tables of kinds of objects of which there are none here: with PostgreSQL's columns, and no rows; and of
// what is counted for a whole server, which is not done here: one row of zeroes.
#include <string.h>

#include "sql/type/numeric.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/session/session.h"
#include "sql/session/shard_state.h"

static struct status counted_nothing_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    struct pg_row row;
    const struct virtual_table *table = virtual_table_of(sink);
    (void)task;
    pg_row_begin(&row, sink);
    for (uint32_t i = 0; i < table->column_count; i++) {
        const char *name = table->columns[i].name;
        if (strcmp(name, "stats_reset") == 0)
            pg_put_int(&row, name, sql_shard(session->shard)->started_us);
        else if (table->columns[i].type == TYPE_FLOAT8)
            pg_put(&row, name, datum_real(0));
        else if (table->columns[i].type == TYPE_INT8)
            pg_put_int(&row, name, 0);
        else if (strcmp(name, "wal_bytes") == 0)
            pg_put(&row, name, numeric_from_int(&session->statement_arena, 0));
    }
    return pg_row_send(&row);
}

static const struct pg_table tables[] = {
    {"pg_amop",
        "oid oid, amopfamily oid, amoplefttype oid, amoprighttype oid, "
        "amopstrategy int2, amoppurpose char, amopopr oid, amopmethod oid, "
        "amopsortfamily oid",
        NULL},
    {"pg_amproc",
        "oid oid, amprocfamily oid, amproclefttype oid, amprocrighttype oid, "
        "amprocnum int2, amproc regproc",
        NULL},
    {"pg_conversion",
        "oid oid, conname name, connamespace oid, conowner oid, conforencoding int4, "
        "contoencoding int4, conproc regproc, condefault bool",
        NULL},
    {"pg_event_trigger",
        "oid oid, evtname name, evtevent name, evtowner oid, evtfoid oid, "
        "evtenabled char, evttags text[]",
        NULL},
    {"pg_file_settings",
        "sourcefile text, sourceline int4, seqno int4, name text, setting text, "
        "applied bool, error text",
        NULL},
    {"pg_foreign_data_wrapper",
        "oid oid, fdwname name, fdwowner oid, fdwhandler oid, fdwvalidator oid, "
        "fdwacl aclitem[], fdwoptions text[]",
        NULL},
    {"pg_foreign_server",
        "oid oid, srvname name, srvowner oid, srvfdw oid, srvtype text, srvversion text, "
        "srvacl aclitem[], srvoptions text[]",
        NULL},
    {"pg_foreign_table",
        "ftrelid oid, ftserver oid, ftoptions text[]",
        NULL},
    {"pg_inherits",
        "inhrelid oid, inhparent oid, inhseqno int4, inhdetachpending bool",
        NULL},
    {"pg_init_privs",
        "objoid oid, classoid oid, objsubid int4, privtype char, initprivs aclitem[]",
        NULL},
    {"pg_parameter_acl",
        "oid oid, parname text, paracl aclitem[]",
        NULL},
    {"pg_partitioned_table",
        "partrelid oid, partstrat char, partnatts int2, partdefid oid, "
        "partattrs int2vector, partclass oidvector, partcollation oidvector, "
        "partexprs pg_node_tree",
        NULL},
    {"pg_policies",
        "schemaname name, tablename name, policyname name, permissive text, "
        "roles name[], cmd text, qual text, with_check text",
        NULL},
    {"pg_policy",
        "oid oid, polname name, polrelid oid, polcmd char, polpermissive bool, "
        "polroles oid[], polqual pg_node_tree, polwithcheck pg_node_tree",
        NULL},
    {"pg_prepared_xacts",
        "transaction xid, gid text, prepared timestamptz, owner name, database name",
        NULL},
    {"pg_publication",
        "oid oid, pubname name, pubowner oid, puballtables bool, pubinsert bool, "
        "pubupdate bool, pubdelete bool, pubtruncate bool, pubviaroot bool",
        NULL},
    {"pg_publication_namespace",
        "oid oid, pnpubid oid, pnnspid oid",
        NULL},
    {"pg_publication_rel",
        "oid oid, prpubid oid, prrelid oid, prqual pg_node_tree, prattrs int2vector",
        NULL},
    {"pg_publication_tables",
        "pubname name, schemaname name, tablename name, attnames name[], rowfilter text",
        NULL},
    {"pg_replication_origin",
        "roident oid, roname text",
        NULL},
    {"pg_replication_origin_status",
        "local_id oid, external_id text, remote_lsn pg_lsn, local_lsn pg_lsn",
        NULL},
    {"pg_replication_slots",
        "slot_name name, plugin name, slot_type text, datoid oid, database name, "
        "temporary bool, active bool, active_pid int4, xmin xid, catalog_xmin xid, "
        "restart_lsn pg_lsn, confirmed_flush_lsn pg_lsn, wal_status text, "
        "safe_wal_size int8, two_phase bool",
        NULL},
    {"pg_rules",
        "schemaname name, tablename name, rulename name, definition text",
        NULL},
    {"pg_seclabel",
        "objoid oid, classoid oid, objsubid int4, provider text, label text",
        NULL},
    {"pg_seclabels",
        "objoid oid, classoid oid, objsubid int4, objtype text, objnamespace oid, "
        "objname text, provider text, label text",
        NULL},
    {"pg_shdepend",
        "dbid oid, classid oid, objid oid, objsubid int4, refclassid oid, refobjid oid, "
        "deptype char",
        NULL},
    {"pg_shseclabel",
        "objoid oid, classoid oid, provider text, label text",
        NULL},
    {"pg_stat_progress_analyze",
        "pid int4, datid oid, datname name, relid oid, phase text, "
        "sample_blks_total int8, sample_blks_scanned int8, ext_stats_total int8, "
        "ext_stats_computed int8, child_tables_total int8, child_tables_done int8, "
        "current_child_table_relid oid",
        NULL},
    {"pg_stat_progress_basebackup",
        "pid int4, phase text, backup_total int8, backup_streamed int8, "
        "tablespaces_total int8, tablespaces_streamed int8",
        NULL},
    {"pg_stat_progress_cluster",
        "pid int4, datid oid, datname name, relid oid, command text, phase text, "
        "cluster_index_relid oid, heap_tuples_scanned int8, heap_tuples_written int8, "
        "heap_blks_total int8, heap_blks_scanned int8, index_rebuild_count int8",
        NULL},
    {"pg_stat_progress_copy",
        "pid int4, datid oid, datname name, relid oid, command text, type text, "
        "bytes_processed int8, bytes_total int8, tuples_processed int8, "
        "tuples_excluded int8",
        NULL},
    {"pg_stat_progress_create_index",
        "pid int4, datid oid, datname name, relid oid, index_relid oid, command text, "
        "phase text, lockers_total int8, lockers_done int8, current_locker_pid int8, "
        "blocks_total int8, blocks_done int8, tuples_total int8, tuples_done int8, "
        "partitions_total int8, partitions_done int8",
        NULL},
    {"pg_stat_progress_vacuum",
        "pid int4, datid oid, datname name, relid oid, phase text, heap_blks_total int8, "
        "heap_blks_scanned int8, heap_blks_vacuumed int8, index_vacuum_count int8, "
        "max_dead_tuples int8, num_dead_tuples int8",
        NULL},
    {"pg_stat_replication",
        "pid int4, usesysid oid, usename name, application_name text, client_addr inet, "
        "client_hostname text, client_port int4, backend_start timestamptz, "
        "backend_xmin xid, state text, sent_lsn pg_lsn, write_lsn pg_lsn, "
        "flush_lsn pg_lsn, replay_lsn pg_lsn, write_lag interval, flush_lag interval, "
        "replay_lag interval, sync_priority int4, sync_state text, reply_time timestamptz",
        NULL},
    {"pg_stat_replication_slots",
        "slot_name text, spill_txns int8, spill_count int8, spill_bytes int8, "
        "stream_txns int8, stream_count int8, stream_bytes int8, total_txns int8, "
        "total_bytes int8, stats_reset timestamptz",
        NULL},
    {"pg_stat_subscription",
        "subid oid, subname name, pid int4, relid oid, received_lsn pg_lsn, "
        "last_msg_send_time timestamptz, last_msg_receipt_time timestamptz, "
        "latest_end_lsn pg_lsn, latest_end_time timestamptz",
        NULL},
    {"pg_stat_subscription_stats",
        "subid oid, subname name, apply_error_count int8, sync_error_count int8, "
        "stats_reset timestamptz",
        NULL},
    {"pg_stat_user_functions",
        "funcid oid, schemaname name, funcname name, calls int8, total_time float8, "
        "self_time float8",
        NULL},
    {"pg_stat_wal_receiver",
        "pid int4, status text, receive_start_lsn pg_lsn, receive_start_tli int4, "
        "written_lsn pg_lsn, flushed_lsn pg_lsn, received_tli int4, "
        "last_msg_send_time timestamptz, last_msg_receipt_time timestamptz, "
        "latest_end_lsn pg_lsn, latest_end_time timestamptz, slot_name text, "
        "sender_host text, sender_port int4, conninfo text",
        NULL},
    {"pg_stat_xact_user_functions",
        "funcid oid, schemaname name, funcname name, calls int8, total_time float8, "
        "self_time float8",
        NULL},
    {"pg_backend_memory_contexts",
        "name text, ident text, parent text, level int4, total_bytes int8, "
        "total_nblocks int8, free_bytes int8, free_chunks int8, used_bytes int8",
        NULL},
    {"pg_config",
        "name text, setting text",
        NULL},
    {"pg_hba_file_rules",
        "line_number int4, type text, database text[], user_name text[], address text, "
        "netmask text, auth_method text, options text[], error text",
        NULL},
    {"pg_ident_file_mappings",
        "line_number int4, map_name text, sys_name text, pg_username text, error text",
        NULL},
    {"pg_shmem_allocations",
        "name text, off int8, size int8, allocated_size int8",
        NULL},
    {"pg_stat_archiver",
        "archived_count int8, last_archived_wal text, last_archived_time timestamptz, "
        "failed_count int8, last_failed_wal text, last_failed_time timestamptz, "
        "stats_reset timestamptz",
        counted_nothing_rows},
    {"pg_stat_bgwriter",
        "checkpoints_timed int8, checkpoints_req int8, checkpoint_write_time float8, "
        "checkpoint_sync_time float8, buffers_checkpoint int8, buffers_clean int8, "
        "maxwritten_clean int8, buffers_backend int8, buffers_backend_fsync int8, "
        "buffers_alloc int8, stats_reset timestamptz",
        counted_nothing_rows},
    {"pg_stat_database_conflicts",
        "datid oid, datname name, confl_tablespace int8, confl_lock int8, "
        "confl_snapshot int8, confl_bufferpin int8, confl_deadlock int8",
        NULL},
    {"pg_stat_recovery_prefetch",
        "stats_reset timestamptz, prefetch int8, hit int8, skip_init int8, "
        "skip_new int8, skip_fpw int8, skip_rep int8, wal_distance int4, "
        "block_distance int4, io_depth int4",
        NULL},
    {"pg_stat_slru",
        "name text, blks_zeroed int8, blks_hit int8, blks_read int8, "
        "blks_written int8, blks_exists int8, flushes int8, truncates int8, "
        "stats_reset timestamptz",
        NULL},
    {"pg_stat_sys_indexes",
        "relid oid, indexrelid oid, schemaname name, relname name, indexrelname name, "
        "idx_scan int8, idx_tup_read int8, idx_tup_fetch int8",
        NULL},
    {"pg_stat_sys_tables",
        "relid oid, schemaname name, relname name, seq_scan int8, seq_tup_read int8, "
        "idx_scan int8, idx_tup_fetch int8, n_tup_ins int8, n_tup_upd int8, "
        "n_tup_del int8, n_tup_hot_upd int8, n_live_tup int8, n_dead_tup int8, "
        "n_mod_since_analyze int8, n_ins_since_vacuum int8, last_vacuum timestamptz, "
        "last_autovacuum timestamptz, last_analyze timestamptz, "
        "last_autoanalyze timestamptz, vacuum_count int8, autovacuum_count int8, "
        "analyze_count int8, autoanalyze_count int8",
        NULL},
    {"pg_stat_wal",
        "wal_records int8, wal_fpi int8, wal_bytes numeric, wal_buffers_full int8, "
        "wal_write int8, wal_sync int8, wal_write_time float8, wal_sync_time float8, "
        "stats_reset timestamptz",
        counted_nothing_rows},
    {"pg_stat_xact_sys_tables",
        "relid oid, schemaname name, relname name, seq_scan int8, seq_tup_read int8, "
        "idx_scan int8, idx_tup_fetch int8, n_tup_ins int8, n_tup_upd int8, "
        "n_tup_del int8, n_tup_hot_upd int8",
        NULL},
    {"pg_statio_sys_indexes",
        "relid oid, indexrelid oid, schemaname name, relname name, indexrelname name, "
        "idx_blks_read int8, idx_blks_hit int8",
        NULL},
    {"pg_statio_sys_sequences",
        "relid oid, schemaname name, relname name, blks_read int8, blks_hit int8",
        NULL},
    {"pg_statio_sys_tables",
        "relid oid, schemaname name, relname name, heap_blks_read int8, "
        "heap_blks_hit int8, idx_blks_read int8, idx_blks_hit int8, "
        "toast_blks_read int8, toast_blks_hit int8, tidx_blks_read int8, "
        "tidx_blks_hit int8",
        NULL},
    {"pg_statistic",
        "starelid oid, staattnum int2, stainherit bool, stanullfrac float4, "
        "stawidth int4, stadistinct float4, stakind1 int2, stakind2 int2, "
        "stakind3 int2, stakind4 int2, stakind5 int2, staop1 oid, staop2 oid, "
        "staop3 oid, staop4 oid, staop5 oid, stacoll1 oid, stacoll2 oid, stacoll3 oid, "
        "stacoll4 oid, stacoll5 oid, stanumbers1 float4[], stanumbers2 float4[], "
        "stanumbers3 float4[], stanumbers4 float4[], stanumbers5 float4[], "
        "stavalues1 anyarray, stavalues2 anyarray, stavalues3 anyarray, "
        "stavalues4 anyarray, stavalues5 anyarray",
        NULL},
    {"pg_subscription",
        "oid oid, subdbid oid, subskiplsn pg_lsn, subname name, subowner oid, "
        "subenabled bool, subbinary bool, substream bool, subtwophasestate char, "
        "subdisableonerr bool, subconninfo text, subslotname name, subsynccommit text, "
        "subpublications text[]",
        NULL},
    {"pg_subscription_rel",
        "srsubid oid, srrelid oid, srsubstate char, srsublsn pg_lsn",
        NULL},
    {"pg_transform",
        "oid oid, trftype oid, trflang oid, trffromsql regproc, trftosql regproc",
        NULL},
    {"pg_trigger",
        "oid oid, tgrelid oid, tgparentid oid, tgname name, tgfoid oid, tgtype int2, "
        "tgenabled char, tgisinternal bool, tgconstrrelid oid, tgconstrindid oid, "
        "tgconstraint oid, tgdeferrable bool, tginitdeferred bool, tgnargs int2, "
        "tgattr int2vector, tgargs bytea, tgqual pg_node_tree, tgoldtable name, "
        "tgnewtable name",
        NULL},
    {"pg_ts_config",
        "oid oid, cfgname name, cfgnamespace oid, cfgowner oid, cfgparser oid",
        NULL},
    {"pg_ts_config_map",
        "mapcfg oid, maptokentype int4, mapseqno int4, mapdict oid",
        NULL},
    {"pg_ts_dict",
        "oid oid, dictname name, dictnamespace oid, dictowner oid, dicttemplate oid, "
        "dictinitoption text",
        NULL},
    {"pg_ts_parser",
        "oid oid, prsname name, prsnamespace oid, prsstart regproc, prstoken regproc, "
        "prsend regproc, prsheadline regproc, prslextype regproc",
        NULL},
    {"pg_ts_template",
        "oid oid, tmplname name, tmplnamespace oid, tmplinit regproc, tmpllexize regproc",
        NULL},
    {"pg_user_mapping",
        "oid oid, umuser oid, umserver oid, umoptions text[]",
        NULL},
    {"pg_user_mappings",
        "umid oid, srvid oid, srvname name, umuser oid, usename name, umoptions text[]",
        NULL},
};

void pg_catalog_empty_register(void)
{
    pg_tables_register("pg_catalog", tables, sizeof tables / sizeof tables[0]);
}
