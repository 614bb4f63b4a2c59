// SPDX-License-Identifier: GPL-3.0-or-later
//
// The stream of one slice's part of a virtual cluster, on the primary:
//
//   SELECT * FROM crdb_internal.stream_partition(stream, slice, topology, from, scan, resume, codec, resolved_ms)
//
// gives frames (repl/frame.h), one a row, and never ends by itself. With `scan` it first sends all keys from
// `resume` on as of `from`; then everything committed after `from`, with resolved marks. The client's
// socket is what slows it down: a stream that falls too far behind what is committed reads the store again.
//
// `topology` is what replication_stream_spec gave: the stream is refused (55000) or ends when spans have moved since,
// and its client asks for the specification anew.
//
// Shard    The session's.
// Errors   As repl/producer.h; 55000 the topology has changed, or history at `from` is gone.
#pragma once

void stream_register(void);
