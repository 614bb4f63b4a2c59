// SPDX-License-Identifier: GPL-3.0-or-later
//
// The stream of one slice's part of a virtual cluster, on the primary:
//
//   SELECT * FROM crdb_internal.stream_partition(stream, slice, topology, from, scan, codec, resolved_ms)
//
// gives frames (repl/frame.h), one a row, and never ends by itself. It first sends all keys of the spans `scan` as of
// `from` (a count, then start and end of each, as core/codec.h writes them; empty: none); then everything committed
// after `from`, with resolved marks. The client's socket is what slows it down: a stream that falls too far behind
// what is committed reads the store again.
//
// `topology` is what replication_stream_spec gave: the stream is refused or ends (55R01) when spans have moved between
// slices since, and its client asks for the specification anew. That the slice gets another leader ends nothing.
//
// Shard    The session's, on any node.
// Errors   As repl/producer.h; 55R01 the topology has changed; 55000 history at `from` is gone.
#pragma once

void stream_register(void);
