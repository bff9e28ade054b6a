#include "services/providers/catalogue.hpp"

#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include <google/protobuf/util/json_util.h>

#include "base/check.hpp"
#include "services/providers/catalogue_files.hpp"

namespace parley {
namespace {

std::string lower(std::string_view text) { return absl::AsciiStrToLower(std::string(text)); }

/// The first path of an API that is none; empty where all are.
std::string bad_path(const v1::ProviderApi& api) {
  for (const auto& list : {api.identifiers(), api.fields()}) {
    for (const auto& each : list) {
      if (!JsonPath::parse(each.path())) return each.path();
    }
  }
  for (const std::string& path : api.finish().paths()) {
    if (!JsonPath::parse(path)) return path;
  }
  return {};
}

/// Of all APIs, each once.
std::vector<std::pair<std::string, JsonPath>> identifiers_of(const v1::Provider& provider) {
  std::map<std::string, JsonPath> paths;
  for (const auto& api : provider.apis()) {
    for (const auto& each : api.identifiers()) {
      if (auto path = JsonPath::parse(each.path())) paths.emplace(each.path(), *std::move(path));
    }
  }
  return {paths.begin(), paths.end()};
}

}  // namespace

const ProviderCatalogue& ProviderCatalogue::built_in() {
  static const ProviderCatalogue catalogue = [] {
    auto parsed = parse(catalogue_files());
    PARLEY_CHECK(parsed.ok());
    return *std::move(parsed);
  }();
  return catalogue;
}

Result<ProviderCatalogue> ProviderCatalogue::parse(
    const std::vector<std::pair<std::string_view, std::string_view>>& files) {
  ProviderCatalogue catalogue;
  for (const auto& [name, text] : files) {
    v1::Provider provider;
    const auto parsed = google::protobuf::util::JsonStringToMessage(std::string(text), &provider);
    const Status status = parsed.ok() ? catalogue.add(std::move(provider))
                                      : absl::InvalidArgumentError(parsed.ToString());
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(std::string(name), ": ", std::string(status.message())));
    }
  }
  return catalogue;
}

Status ProviderCatalogue::add(v1::Provider provider) {
  const std::string name = provider.provider();
  const auto refuse = [&name](const std::string& why) {
    return absl::InvalidArgumentError(absl::StrCat("provider '", name, "' ", why));
  };
  if (name.empty()) return refuse("needs a name in `provider`");
  std::set<std::string> apis;
  for (const auto& api : provider.apis()) {
    if (!apis.insert(api.api()).second) return refuse("has two APIs called " + api.api());
    if (const std::string path = bad_path(api); !path.empty()) {
      return refuse("has '" + path + "' where a path is to be, as a.b[].c");
    }
  }
  ProviderMarks marks{name, {}, {}, {}, identifiers_of(provider)};
  const auto& known_by = provider.recognised_by();
  marks.headers.assign(known_by.headers().begin(), known_by.headers().end());
  marks.id_prefixes.assign(known_by.id_prefixes().begin(), known_by.id_prefixes().end());
  for (const std::string& text : known_by.body_paths()) {
    auto path = JsonPath::parse(text);
    if (!path) return refuse("has '" + text + "' where a path is to be, as a.b[].c");
    marks.body_paths.push_back(*std::move(path));
  }
  std::vector<std::string> names(provider.aliases().begin(), provider.aliases().end());
  names.push_back(name);
  for (const std::string& each : names) {
    const auto [there, added] = names_.emplace(lower(each), name);
    if (!added && there->second != name) return refuse("is called " + each + " as another one is");
  }
  marks_.push_back(std::move(marks));
  providers_.emplace(name, std::move(provider));
  return absl::OkStatus();
}

const v1::Provider* ProviderCatalogue::find(std::string_view name) const {
  const auto known = names_.find(lower(name));
  return known == names_.end() ? nullptr : &providers_.at(known->second);
}

}  // namespace parley
