#include "bench/report.hpp"

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "bench/failure.hpp"
#include "bench/machine.hpp"
#include "services/release.hpp"

namespace parley::bench {
namespace {

constexpr const char* k_preface =
    "# Results\n\n"
    "Written by `./dev bench --write bench/RESULTS.md`: each section by the run that it names, "
    "none\n"
    "by hand. Client and server share the machine. Compare within a section only, by its ratios:\n"
    "absolute figures move with whatever else runs (\"others\" is the CPU that neither the server\n"
    "nor the client used, in cores). The echo is a call of the same server that does nothing, "
    "with\n"
    "requests and answers of the same sizes, each answer sent by itself as gRPC does: the limit.\n"
    "\"Echo in bursts\" does nothing, too, but its answers are sent together as all others are\n"
    "(docs/decisions/0010): what is left between it and a call is the call's own work.\n";

/// "<!-- section append -->"
std::string mark(const std::string& name) { return absl::StrCat("<!-- section ", name, " -->"); }

/// The sections that a file holds already.
std::map<std::string, std::string> sections_of(const std::string& path) {
  std::map<std::string, std::string> found;
  std::ifstream in(path);
  std::string name;
  for (std::string line; std::getline(in, line);) {
    const std::string begin = "<!-- section ";
    if (line.starts_with(begin)) {
      name = line.substr(begin.size(), line.rfind(" -->") - begin.size());
    } else if (!name.empty()) {
      found[name] += line + "\n";
    }
  }
  return found;
}

}  // namespace

void Table::row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

std::string Table::text() const {
  const auto line = [](const std::vector<std::string>& cells) {
    return "| " + absl::StrJoin(cells, " | ") + " |\n";
  };
  std::string text = line(columns_) + "|---|";
  for (size_t i = 1; i < columns_.size(); ++i) text += "---:|";
  text += "\n";
  for (const auto& cells : rows_) text += line(cells);
  return text;
}

std::string whole(double value) {
  std::string digits = absl::StrFormat("%.0f", value);
  for (auto at = static_cast<int>(digits.size()) - 3; at > (value < 0 ? 1 : 0); at -= 3) {
    digits.insert(static_cast<size_t>(at), 1, ',');
  }
  return digits;
}

std::string decimal(double value, int digits) { return absl::StrFormat("%.*f", digits, value); }

std::string megabytes(double bytes) { return decimal(bytes / 1e6, 1); }

std::string milliseconds_of(double micros) { return decimal(micros / 1e3, micros < 10e3 ? 2 : 1); }

std::string render(const Section& section, const Settings& settings) {
  std::string text = absl::StrCat("## ", section.title, "\n\n", section.text, "\n");
  absl::StrAppend(&text, "Machine: ", describe_machine(), ". Commit: ", k_commit,
                  ". Date: ", describe_date(), ".\nCommand: `", settings.command, "`\n");
  return text;
}

void write_results(const std::string& path, const std::vector<std::string>& names_in_order,
                   const std::map<std::string, std::string>& rendered) {
  std::map<std::string, std::string> sections = sections_of(path);
  for (const auto& [name, text] : rendered) sections[name] = text;
  std::ostringstream out;
  out << k_preface;
  for (const std::string& name : names_in_order) {
    const auto section = sections.find(name);
    if (section == sections.end()) continue;
    std::string text = section->second;
    while (text.ends_with("\n\n")) text.pop_back();
    out << "\n" << mark(name) << "\n" << text;
  }
  std::ofstream file(path, std::ios::trunc);
  file << out.str();
  file.close();
  if (!file) fail("cannot write " + path);
}

}  // namespace parley::bench
