#include "services/providers/provider_errors.hpp"

#include <array>
#include <initializer_list>
#include <string_view>

namespace parley {
namespace {

constexpr int k_first_error_status = 400;

/// The first of these names that says something.
std::string first_text(const Json& in, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (std::string text = text_at(in, {name}); !text.empty()) return text;
  }
  return {};
}

/// Of an object that is an error.
ProviderError of_object(const Json& error) {
  ProviderError it;
  it.type = first_text(error, {"type", "status", "error_type"});
  it.code = text_at(error, {"code"});
  it.message = first_text(error, {"message", "detail", "error", "failed_generation"});
  it.param = text_at(error, {"param"});
  return it;
}

/// `detail` of those who validate with a list of complaints: the first one.
std::optional<ProviderError> of_detail(const Json& document) {
  const Json* detail = find(document, {"detail"});
  if (detail == nullptr) return std::nullopt;
  if (!detail->is_array() || detail->empty()) {
    return ProviderError{{}, {}, scalar_text(*detail), {}};
  }
  const Json& first = detail->front();
  ProviderError it{text_at(first, {"type"}), {}, text_at(first, {"msg"}), {}};
  if (const Json* place = find(first, {"loc"}); place != nullptr && place->is_array()) {
    for (const Json& each : *place) it.param += (it.param.empty() ? "" : ".") + scalar_text(each);
  }
  return it;
}

/// An error inside a document that says so itself, whatever the status.
std::optional<ProviderError> of_document(const Json& document) {
  constexpr std::array<Names, 3> k_places = {{{"error"}, {"response", "error"}, {"last_error"}}};
  for (const Names& place : k_places) {
    const Json* error = find(document, place);
    if (error == nullptr) continue;
    if (error->is_object() && !error->empty()) return of_object(*error);
    if (error->is_string()) {
      ProviderError it = of_object(document);
      it.message = scalar_text(*error);
      return it;
    }
  }
  const std::string type = text_at(document, {"type"});
  const std::string object = text_at(document, {"object"});
  if (type == "error" || object == "error") return of_object(document);
  if (const Json* errors = find(document, {"errors"}); errors != nullptr && errors->is_array()) {
    if (!errors->empty() && errors->front().is_object()) return of_object(errors->front());
  }
  return std::nullopt;
}

}  // namespace

std::optional<ProviderError> provider_error(int status, const ResponseHeaders& headers,
                                            const std::vector<Json>& documents) {
  const bool refused = status >= k_first_error_status;
  std::optional<ProviderError> error;
  for (const Json& document : documents) {
    if (!error) error = of_document(document);
    if (!error && refused) error = of_detail(document);
    if (!error && refused && document.is_object()) error = of_object(document);
  }
  if (!error && !refused) return std::nullopt;
  if (!error) error.emplace();
  // "ValidationException:http://…": the name of the shape, and whose it is.
  const auto shape = headers.find("x-amzn-errortype");
  if (error->type.empty() && shape != headers.end()) {
    error->type = shape->second.substr(0, shape->second.find(':'));
  }
  if (error->code.empty() && refused) error->code = std::to_string(status);
  return error;
}

}  // namespace parley
