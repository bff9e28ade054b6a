#include "bench/machine.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <thread>
#include <unistd.h>

namespace parley::bench {
namespace {

/// The value of the first line of a file that begins with `name`, up to the end of the line.
std::string field_of(const std::string& path, const std::string& name) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(name)) continue;
    const size_t from = line.find_first_not_of(" \t:", name.size());
    return from == std::string::npos ? std::string() : line.substr(from);
  }
  return "unknown";
}

double seconds_of_ticks(double ticks) { return ticks / static_cast<double>(sysconf(_SC_CLK_TCK)); }

}  // namespace

std::string describe_machine() {
  utsname system{};
  uname(&system);
  std::ostringstream text;
  const double pages = static_cast<double>(sysconf(_SC_PHYS_PAGES));
  const double gigabytes = pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e9;
  text << field_of("/proc/cpuinfo", "model name") << ", " << core_count() << " cores, "
       << static_cast<int>(gigabytes + 0.5) << " GB, " << system.sysname << ' ' << system.release;
  return text.str();
}

std::string describe_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts);
  return text.data();
}

double cpu_seconds(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  // Why after the last bracket: the program's name before it may hold blanks.
  std::istringstream rest(text.substr(std::min(text.size(), text.rfind(')') + 1)));
  std::string word;
  for (int i = 0; i < 11; ++i) rest >> word;
  double user = 0;
  double system = 0;
  rest >> user >> system;
  return seconds_of_ticks(user + system);
}

double busy_seconds() {
  std::istringstream line(field_of("/proc/stat", "cpu "));
  std::array<double, 8> ticks{};  // user nice system idle iowait irq softirq steal
  for (double& value : ticks) line >> value;
  return seconds_of_ticks(ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7]);
}

int core_count() { return static_cast<int>(std::max(1U, std::thread::hardware_concurrency())); }

std::string program_directory() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
}

int64_t bytes_on_disk(const std::string& directory) {
  int64_t bytes = 0;
  std::error_code gone;  // Why: files may be deleted by the server meanwhile.
  for (std::filesystem::recursive_directory_iterator it(directory, gone), end; it != end;
       it.increment(gone)) {
    struct stat info {};
    if (lstat(it->path().c_str(), &info) == 0) bytes += info.st_blocks * 512;
  }
  return bytes;
}

}  // namespace parley::bench
