#pragma once

#include <map>
#include <optional>
#include <string>

/// What the tables show for people, and for lists, beside what Parley reads again.
namespace parley::postgres {

/// What a message says: its content, or else the text of its parts, a line each. Nothing where
/// there is no text in it. `body`: as Message::body.
std::optional<std::string> message_text(const std::string& body);

/// A JSON object, as the column `labels` holds it.
std::string labels_json(const std::map<std::string, std::string>& labels);

}  // namespace parley::postgres
