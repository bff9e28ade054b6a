#include "services/json_scan.hpp"

#include <algorithm>

namespace parley {
namespace {

constexpr std::string_view k_blanks = " \t\r\n";

/// A position in a JSON text. Every step stays within it, whatever it holds.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) { skip_blanks(); }

  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  /// Passes one character that is expected here.
  bool pass(char expected) {
    if (at_end() || text_[at_] != expected) return false;
    ++at_;
    skip_blanks();
    return true;
  }
  /// Passes one value of any kind.
  std::string_view value() {
    const size_t begin = at_;
    size_t depth = 0;
    do {
      const size_t before = at_;
      step(depth);
      if (at_ == before) break;
    } while (depth > 0 && !at_end());
    const std::string_view whole = text_.substr(begin, at_ - begin);
    skip_blanks();
    return whole;
  }

 private:
  void skip_blanks() { at_ = std::min(text_.find_first_not_of(k_blanks, at_), text_.size()); }

  /// Passes a string, a bracket, a number or word, or what separates them within brackets.
  void step(size_t& depth) {
    switch (text_[at_]) {
      case '"':
        return pass_string();
      case '{':
      case '[':
        ++depth;
        ++at_;
        return;
      case '}':
      case ']':
        if (depth > 0) {
          --depth;
          ++at_;
        }
        return;
      default:
        if (depth > 0) {
          at_ = std::min(text_.find_first_of("\"{}[]", at_), text_.size());
        } else {
          at_ = std::min(text_.find_first_of(",:]} \t\r\n", at_), text_.size());
        }
    }
  }
  void pass_string() {
    for (++at_; at_ < text_.size(); ++at_) {
      at_ = std::min(text_.find_first_of("\"\\", at_), text_.size());
      if (at_ == text_.size()) return;
      if (text_[at_] == '"') {
        ++at_;
        return;
      }
      ++at_;  // the character after a backslash
    }
    at_ = text_.size();
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

std::vector<RawMember> raw_members(std::string_view text) {
  std::vector<RawMember> members;
  Scanner scan(text);
  if (!scan.pass('{')) return members;
  while (!scan.at_end() && !scan.pass('}')) {
    const std::string_view key = scan.value();
    if (key.empty() || !scan.pass(':') || scan.at_end()) break;
    members.push_back({key, scan.value()});
    if (!scan.pass(',') && !scan.pass('}')) break;
    if (scan.at_end()) break;
  }
  return members;
}

std::vector<std::string_view> raw_elements(std::string_view text) {
  std::vector<std::string_view> elements;
  Scanner scan(text);
  if (!scan.pass('[')) return elements;
  while (!scan.at_end() && !scan.pass(']')) {
    const std::string_view element = scan.value();
    if (element.empty()) break;
    elements.push_back(element);
    if (!scan.pass(',') && !scan.pass(']')) break;
  }
  return elements;
}

bool nests_deeper(std::string_view text, size_t depth_max) {
  size_t depth = 0;
  for (size_t at = text.find_first_of("\"{}[]"); at < text.size();
       at = text.find_first_of("\"{}[]", at + 1)) {
    if (text[at] == '{' || text[at] == '[') {
      if (++depth > depth_max) return true;
    } else if (text[at] != '"') {
      if (depth > 0) --depth;
    } else {
      at = text.find_first_of("\"\\", at + 1);
      while (at < text.size() && text[at] == '\\') at = text.find_first_of("\"\\", at + 2);
      if (at >= text.size()) return false;
    }
  }
  return false;
}

}  // namespace parley
