#include "storage/postgres/readable.hpp"

#include <nlohmann/json.hpp>

#include "parley/v1/message.pb.h"
#include "storage/postgres/parameters.hpp"

namespace parley::postgres {

std::optional<std::string> message_text(const std::string& body) {
  thread_local v1::Message message;
  if (!message.ParseFromString(body)) return std::nullopt;
  if (message.has_content()) return message.content();
  std::optional<std::string> text;
  for (const auto& part : message.parts()) {
    if (!part.has_text()) continue;
    if (text) text->push_back('\n');
    text = std::move(text).value_or("") + part.text().text();
  }
  return text;
}

std::string labels_json(const std::map<std::string, std::string>& labels) {
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [key, value] : labels) object[text_value(key)] = text_value(value);
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace parley::postgres
