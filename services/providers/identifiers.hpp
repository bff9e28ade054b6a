#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/providers/json_path.hpp"

namespace parley {

/// Response headers: names in lower case.
using ResponseHeaders = std::map<std::string, std::string>;

/// Where a value was found.
enum class Found : uint8_t { body, header };

/// Something that was found by its name: an identifier, or what was asked for by a path.
struct NamedValue {
  std::string path;  ///< `choices[].message.tool_calls[].id`, or the header's name
  std::string value;
  Found found = Found::body;
  bool operator==(const NamedValue&) const = default;
};

/// The identifiers of one response, whoever sent it: what is called an id anywhere in its
/// documents, and in its headers what names a request, trace, account or region. An identifier that
/// comes again, as in every event of a stream, counts once; empty ones do not count.
///
/// Not looked at is what a model wrote or was told to write: arguments of tools, and schemas.
/// On the stack of whoever reads a response.
class Identifiers {
 public:
  /// More than this of one response are left out, and `complete` says so.
  static constexpr size_t k_most = 1'000;

  void read(const Json& document);
  void read(const ResponseHeaders& headers);
  /// What an operator wants as well, by its place.
  void read(const Json& document, const JsonPath& path, std::string_view name);

  [[nodiscard]] const std::vector<NamedValue>& all() const { return all_; }
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  void walk(const Json& at, std::string& path, std::string_view key, int depth);
  void add(std::string_view path, std::string value, Found found);

  std::vector<NamedValue> all_;
  std::set<std::pair<std::string, std::string>> known_;
  bool complete_ = true;
};

/// That header is worth keeping: it names a request, a trace, an account, a limit or a place.
bool is_telling_header(std::string_view name);

}  // namespace parley
