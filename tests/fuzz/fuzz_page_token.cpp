#include "services/page_token.hpp"
#include "tests/fuzz/input.hpp"

/// Page tokens: none but ours is let in, and ours are given back as they were made.
namespace parley::fuzz {
namespace {

constexpr uint64_t k_query = 0x1234;

/// A token that is let in must be the very token that its position makes: there is no second
/// spelling.
void check_token(std::string_view token) {
  const auto messages = parse_messages_token(token, k_query);
  if (const auto* position = std::get_if<MessagesPosition>(&messages)) {
    expect(make_page_token(*position, k_query) == token, "two spellings of a token of messages");
  }
  const auto list = parse_list_token(token, k_query);
  if (const auto* position = std::get_if<ListPosition>(&list)) {
    expect(make_page_token(*position, k_query) == token, "two spellings of a token of a list");
  }
  const auto usage = parse_usage_token(token, k_query);
  if (const auto* position = std::get_if<UsagePosition>(&usage)) {
    expect(make_page_token(*position, k_query) == token, "two spellings of a token of usage");
  }
}

uint64_t number(Input& input) {
  uint64_t value = 0;
  for (const char byte : input.bytes(8)) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

/// One position and its token: given back, bound to its query and its kind, and to every one of its
/// bytes.
void check_round(Input& input) {
  const ListPosition position{{static_cast<int64_t>(number(input))}, std::string(input.bytes(20))};
  std::string token = make_page_token(position, k_query);
  const auto parsed = parse_list_token(token, k_query);
  const auto* back = std::get_if<ListPosition>(&parsed);
  expect(back != nullptr && *back == position, "a token of ours is not given back");
  const auto elsewhere = parse_list_token(token, k_query + 1);
  expect(!std::holds_alternative<ListPosition>(elsewhere), "let in for another query");
  const auto as_messages = parse_messages_token(token, k_query);
  expect(!std::holds_alternative<MessagesPosition>(as_messages), "let in as another kind");

  const uint8_t flips = input.byte();
  token[input.byte() % token.size()] ^= static_cast<char>(flips);
  const auto changed = parse_list_token(token, k_query);
  expect(std::holds_alternative<ListPosition>(changed) == (flips == 0),
         "a changed token was let in");
}

}  // namespace
}  // namespace parley::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace parley;
  fuzz::check_token({reinterpret_cast<const char*>(data), size});
  fuzz::Input input(data, size);
  fuzz::check_round(input);
  return 0;
}
