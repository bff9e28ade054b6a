#pragma once

#include "bench/report.hpp"
#include "bench/settings.hpp"

namespace parley::bench {

// Each starts servers on directories of its own, measures, and stops them.

/// Durable appends to many conversations against the echo, by calls in flight.
Section ask_append(const Settings& settings);
/// The last 20 messages against the echo.
Section ask_read(const Settings& settings);
/// Appends to one conversation against many.
Section ask_hot(const Settings& settings);
/// Latencies at a modest rate with 10,000 active conversations.
Section ask_mixed(const Settings& settings);
/// Calls by way of another node of a cluster against calls to the node that has the conversation.
Section ask_forward(const Settings& settings);
/// How long calls wait while the shard that they concern moves to another node.
Section ask_move(const Settings& settings);
/// Appends by way of a journal in PostgreSQL against one function that a program would call.
Section ask_journal(const Settings& settings);
/// How long calls wait for conversations of a node that is killed, or stopped.
Section ask_takeover(const Settings& settings);
/// Reads of conversations that are not in memory.
Section ask_cold(const Settings& settings);
/// A restart after kill -9 with very many conversations.
Section ask_restart(const Settings& settings);
/// Memory of live conversations.
Section ask_sessions(const Settings& settings);
/// Bytes on disk for the real conversations.
Section ask_storage(const Settings& settings);
/// The core and the codec alone.
Section ask_engine(const Settings& settings);

}  // namespace parley::bench
