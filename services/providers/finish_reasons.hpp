#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "services/providers/json_path.hpp"

namespace parley {

/// Why an answer ended, whatever its provider calls it.
enum class FinishKind : uint8_t {
  unknown,         ///< nothing was said, or a word that is not known
  stop,            ///< it was complete
  length,          ///< a bound of tokens, or the context's
  tool_calls,      ///< the caller is to run tools, or to act otherwise
  content_filter,  ///< refused or cut off by a filter or the model
  cancelled,
  failed,
  unfinished,  ///< it is queued, runs, or pauses
};

/// The kind of a provider's word; letters' case does not matter.
FinishKind finish_kind(std::string_view word);

/// Gathers the last word of the documents of one response.
class FinishReader {
 public:
  void read(const Json& document);
  /// As the provider said it; empty where it did not. Of several choices, the first one's.
  [[nodiscard]] const std::string& word() const { return detail_.empty() ? word_ : detail_; }

 private:
  std::string word_;
  std::string detail_;  ///< why an incomplete one is: says more than its state
};

}  // namespace parley
