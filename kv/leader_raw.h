// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a slice's leader does for replication, backup and administration: raw versions, and jobs over
// spans or whole slices. As kv/leader.h, whose transport it uses; the client's side is
// kv/raw_client.c.
#pragma once
#include "kv/admin.h"
#include "kv/leader.h"

struct leader_export {
    struct leader_call call;
    struct kv_export export;     // Its span and resume are those of the part asked for.
    struct kv_version *versions; // Answers.
    uint32_t count;
};
struct status leader_export(struct task *task, void *arg);

struct leader_ingest {
    struct leader_call call;
    struct kv_version *versions;
    uint32_t count;
};
struct status leader_ingest(struct task *task, void *arg);

enum leader_job_kind {
    LEADER_JOB_MARK,        // mark
    LEADER_JOB_REVERT,      // ts; removed
    LEADER_JOB_CLEAR,       // span
    LEADER_JOB_FINGERPRINT, // span, ts; fingerprint
    LEADER_JOB_THRESHOLD,   // ts: 55000 when versions at it may be gone already
    LEADER_JOB_INGEST_CLEAR, // span: 55000 when the tenant does not ingest
    LEADER_JOB_KIND_END
};
struct leader_job {
    struct leader_call call;
    enum leader_job_kind what;
    struct span span;
    struct hlc_timestamp ts;
    enum kv_ingest_mark mark;
    // Answers, added to what is there.
    uint64_t removed;
    struct kv_fingerprint fingerprint;
};
struct status leader_job(struct task *task, void *arg);
// The client's: at every slice, one after the other, until the first failure.
CHECKED struct status leader_job_all(struct task *task, struct leader_job *job);
