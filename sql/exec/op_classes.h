// SPDX-License-Identifier: GPL-3.0-or-later
//
// The operators, one class each: see sql/exec/op.h.
#pragma once
#include "sql/exec/op.h"

extern const struct op_class op_one_class, op_empty_class, op_scan_class, op_virtual_class,
    op_values_class, op_function_class, op_project_set_class, op_filter_class, op_project_class,
    op_hash_join_class, op_merge_join_class, op_loop_join_class, op_aggregate_class, op_window_class, op_distinct_class, op_sort_class,
    op_limit_class, op_append_class, op_set_class, op_with_class, op_cte_class, op_recursive_class,
    op_worktable_class, op_materialize_class, op_lock_class, op_insert_class, op_update_class,
    op_delete_class;
