// SPDX-License-Identifier: GPL-3.0-or-later
//
// A world of two clusters, of one or several nodes each, that run the whole server: a virtual cluster "source" of the
// first, with writers, that the second follows as "target". An operator's task on one of the standby's nodes asks for
// what the step says. Meanwhile spans of the source move between slices. What is checked all along: neither the
// replicated nor the retained time goes back, also over crashes; and by pcr_compare, after the cutover: the standby
// holds at the cutover time exactly what the primary held then, nothing above it, and no row of another virtual cluster.
#pragma once
#include "kv/admin.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/pcr_forger.h"
#include "tests/sim/pcr_readers.h"

#define PCR_WITHIN (180 * WORLD_SECOND)
#define PCR_PRIMARY 0u
#define PCR_STANDBY 1u

enum pcr_step {
    PCR_CREATE,    // The standby is told to follow.
    PCR_REPLICATE, // The initial scan, and on.
    PCR_CUTOVER,   // It is told to take over.
    PCR_READY,     // It is about to.
    PCR_OVER,
};

struct pcr {
    struct world world; // First.
    struct nemesis_options nemesis;
    struct pcr_forger *forger;   // NULL: there is none.
    struct hlc_timestamp reader_time_before; // Of cases.
    struct pcr_readers *readers; // Of the standby, until it is compared; NULL: there are none.
    uint32_t follower;      // Cluster: the standby, or on the way back the primary.
    struct pcr_side {
        const char *name;   // Of its virtual cluster.
        uint64_t tenant;    // 0: not there yet.
        uint32_t writes_max; // Until so many were written in all there are writers.
        bool wrote;         // There may be versions of its own writers above the cutover time.
        uint64_t writing;   // Now: a bit for each node.
        char uri[128];
    } sides[2];
    uint32_t writes;
    enum pcr_step step;
    uint64_t operator; // Draws the node that the operator uses.
    enum pcr_time { PCR_LATEST, PCR_PAST, PCR_FUTURE } to; // Of the cutover.
    uint32_t replicas;
    bool plain; // Streams are not compressed.
    uint32_t spans, moves; // In use; and how often one has moved.
    const char *const *prepare;
    bool moving;           // They do, while the standby follows.
    uint64_t replicating_at_ns, write_every_ns;
    struct hlc_timestamp replicated, retained; // As last seen.
    struct hlc_timestamp cutover;
    struct hlc_timestamp replicated_at_cutover, retained_at_cutover;
    bool measuring, measured[2];
    struct kv_fingerprint fingerprints[2];
};

struct pcr_options {
    uint32_t nodes[2], shards; // Of the primary and of the standby.
    uint32_t replicas;         // Of a slice; 0: as the product does it.
    uint32_t writes;
    uint64_t write_every_ns; // At most; drawn.
    bool readers;            // The standby is read from.
    bool forger;             // Somebody asks for streams that are not his: tests/sim/pcr_forger.h.
    const char *const *prepare; // Statements for the standby's operators, before all else; NULL at their end. May be NULL.
};
void pcr_begin(struct pcr *pcr, struct sim_run *run, const struct pcr_options *options);
// Both clusters serve; the standby is told to follow.
void pcr_start(struct pcr *pcr);
// Until the initial scan is complete. False: not within that time.
bool pcr_replicate(struct pcr *pcr, uint64_t within_ns);
// The primary's machines are switched off, for good (until world_heal).
void pcr_lose_primary(struct pcr *pcr);
// Asks for the cutover and waits for it. False: not within that time.
bool pcr_cut_over(struct pcr *pcr, uint64_t within_ns);
// Everything heals, the primary comes back, both are compared.
void pcr_compare(struct pcr *pcr);
// The way back: the writers go over to the standby, the primary follows it from where they parted. Then as before,
// with the sides exchanged: pcr_replicate, pcr_quiet, pcr_cut_over, pcr_compare.
struct pcr_return {
    uint32_t writes;   // To the standby.
    uint64_t pause_ns; // Before the primary is told to follow.
    bool writers_stay; // Those of the primary go on until pcr_quiet.
};
void pcr_turn_round(struct pcr *pcr, const struct pcr_return *back);
// The last of the former primary's writers ends.
void pcr_quiet(struct pcr *pcr);
void pcr_end(struct pcr *pcr);
