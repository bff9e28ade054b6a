#pragma once

#include <map>
#include <string>
#include <vector>

#include "bench/settings.hpp"

namespace parley::bench {

/// A table in markdown.
class Table {
 public:
  explicit Table(std::vector<std::string> columns) : columns_(std::move(columns)) {}
  void row(std::vector<std::string> cells);
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// "12,345"
std::string whole(double value);
/// With so many digits after the point.
std::string decimal(double value, int digits = 2);
/// In MB of 10^6 bytes.
std::string megabytes(double bytes);
/// Microseconds as milliseconds.
std::string milliseconds_of(double micros);

/// The answer to one question: text that ends with its tables.
struct Section {
  std::string name;
  std::string title;
  std::string text;
};

/// With the machine, the commit, the date and the command that it was measured with.
std::string render(const Section& section, const Settings& settings);

/// Replaces the sections of a file of results that are given; the others stay as they are.
void write_results(const std::string& path, const std::vector<std::string>& names_in_order,
                   const std::map<std::string, std::string>& rendered);

}  // namespace parley::bench
