#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace parley::bench {

/// "AMD EPYC 7763, 2 cores, Linux 6.1.0, 23 GB"
std::string describe_machine();
/// "2026-07-01 12:30 UTC"
std::string describe_date();

/// CPU that a process used so far, in seconds, children not counted.
double cpu_seconds(pid_t process);
/// CPU that all processes together used since the machine started, in seconds.
double busy_seconds();
int core_count();

/// Directory of this program.
std::string program_directory();
/// Bytes that a directory takes on the disk, all files below it.
int64_t bytes_on_disk(const std::string& directory);

}  // namespace parley::bench
