// SPDX-License-Identifier: GPL-3.0-or-later
//
// information_schema views of kinds of objects of which there are none here.
#include "sql/catalog/pg_catalog.h"

static const struct pg_table tables[] = {
    {"check_constraint_routine_usage",
        "constraint_catalog name, constraint_schema name, constraint_name name, "
        "specific_catalog name, specific_schema name, specific_name name",
        NULL},
    {"column_options",
        "table_catalog name, table_schema name, table_name name, column_name name, "
        "option_name name, option_value varchar",
        NULL},
    {"foreign_data_wrapper_options",
        "foreign_data_wrapper_catalog name, foreign_data_wrapper_name name, "
        "option_name name, option_value varchar",
        NULL},
    {"foreign_data_wrappers",
        "foreign_data_wrapper_catalog name, foreign_data_wrapper_name name, "
        "authorization_identifier name, library_name varchar, "
        "foreign_data_wrapper_language varchar",
        NULL},
    {"foreign_server_options",
        "foreign_server_catalog name, foreign_server_name name, option_name name, "
        "option_value varchar",
        NULL},
    {"foreign_servers",
        "foreign_server_catalog name, foreign_server_name name, "
        "foreign_data_wrapper_catalog name, foreign_data_wrapper_name name, "
        "foreign_server_type varchar, foreign_server_version varchar, "
        "authorization_identifier name",
        NULL},
    {"foreign_table_options",
        "foreign_table_catalog name, foreign_table_schema name, foreign_table_name name, "
        "option_name name, option_value varchar",
        NULL},
    {"foreign_tables",
        "foreign_table_catalog name, foreign_table_schema name, foreign_table_name name, "
        "foreign_server_catalog name, foreign_server_name name",
        NULL},
    {"routine_column_usage",
        "specific_catalog name, specific_schema name, specific_name name, "
        "routine_catalog name, routine_schema name, routine_name name, "
        "table_catalog name, table_schema name, table_name name, column_name name",
        NULL},
    {"routine_routine_usage",
        "specific_catalog name, specific_schema name, specific_name name, "
        "routine_catalog name, routine_schema name, routine_name name",
        NULL},
    {"routine_sequence_usage",
        "specific_catalog name, specific_schema name, specific_name name, "
        "routine_catalog name, routine_schema name, routine_name name, "
        "sequence_catalog name, sequence_schema name, sequence_name name",
        NULL},
    {"routine_table_usage",
        "specific_catalog name, specific_schema name, specific_name name, "
        "routine_catalog name, routine_schema name, routine_name name, "
        "table_catalog name, table_schema name, table_name name",
        NULL},
    {"transforms",
        "udt_catalog name, udt_schema name, udt_name name, specific_catalog name, "
        "specific_schema name, specific_name name, group_name name, "
        "transform_type varchar",
        NULL},
    {"triggered_update_columns",
        "trigger_catalog name, trigger_schema name, trigger_name name, "
        "event_object_catalog name, event_object_schema name, event_object_table name, "
        "event_object_column name",
        NULL},
    {"triggers",
        "trigger_catalog name, trigger_schema name, trigger_name name, "
        "event_manipulation varchar, event_object_catalog name, "
        "event_object_schema name, event_object_table name, action_order int4, "
        "action_condition varchar, action_statement varchar, action_orientation varchar, "
        "action_timing varchar, action_reference_old_table name, "
        "action_reference_new_table name, action_reference_old_row name, "
        "action_reference_new_row name, created timestamptz",
        NULL},
    {"user_mapping_options",
        "authorization_identifier name, foreign_server_catalog name, "
        "foreign_server_name name, option_name name, option_value varchar",
        NULL},
    {"user_mappings",
        "authorization_identifier name, foreign_server_catalog name, "
        "foreign_server_name name",
        NULL},
    {"view_routine_usage",
        "table_catalog name, table_schema name, table_name name, specific_catalog name, "
        "specific_schema name, specific_name name",
        NULL},
};

void information_schema_empty_register(void)
{
    pg_tables_register("information_schema", tables, sizeof tables / sizeof tables[0]);
}
