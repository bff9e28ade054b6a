#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "parley/v1/provider.pb.h"
#include "services/providers/provider_marks.hpp"

namespace parley {

/// What is known of providers: the files of services/providers/catalogue, which are part of the
/// program.
///
/// Never changes once made; used by any thread.
class ProviderCatalogue {
 public:
  /// The one that is part of the program.
  static const ProviderCatalogue& built_in();
  /// Files as JSON, each of them a parley.v1.Provider. INVALID_ARGUMENT says which one is none, or
  /// names something that is named already, and why.
  static Result<ProviderCatalogue> parse(
      const std::vector<std::pair<std::string_view, std::string_view>>& files);

  /// By name.
  [[nodiscard]] const std::map<std::string, v1::Provider>& providers() const { return providers_; }
  /// By its name or one of its others, in any case; null where nobody is called so.
  [[nodiscard]] const v1::Provider* find(std::string_view name) const;
  [[nodiscard]] const std::vector<ProviderMarks>& marks() const { return marks_; }

 private:
  Status add(v1::Provider provider);

  std::map<std::string, v1::Provider> providers_;
  std::map<std::string, std::string> names_;  ///< all names in lower case: whose they are
  std::vector<ProviderMarks> marks_;
};

}  // namespace parley
