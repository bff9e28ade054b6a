#pragma once

#include "services/cli/command.hpp"

namespace parley::cli {

/// Each adds a group of verbs to the program.

/// create, get, list, update, fork, reset, delete.
void add_conversation_verbs(const Command& program);
/// append, messages.
void add_message_verbs(const Command& program);
/// tail.
void add_watch_verbs(const Command& program);
/// usage, usage record.
void add_usage_verbs(const Command& program);
/// import.
void add_import_verbs(const Command& program);
/// export.
void add_export_verbs(const Command& program);
/// server info, server health, locate, backup create, backup list.
void add_admin_verbs(const Command& program);
/// cluster status, cluster plan, cluster apply.
void add_cluster_verbs(const Command& program);
/// restore, verify.
void add_storage_verbs(const Command& program);
/// bench append, bench read.
void add_bench_verbs(const Command& program);

}  // namespace parley::cli
