#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

#include "base/ids.hpp"
#include "tests/fuzz/input.hpp"

/// Ids as callers give them: what is let in is what the rules say, told in another way here.
namespace parley::fuzz {
namespace {

bool is_id(std::string_view text) {
  constexpr std::string_view k_first =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  if (text.empty() || text.size() > 128 || k_first.find(text[0]) == std::string_view::npos) {
    return false;
  }
  return text.find_first_not_of(std::string(k_first) + "._~:@+=,-") == std::string_view::npos;
}

void check_ids(std::string_view text) {
  const Status status = check_id("thread_id", text);
  expect(status.ok() == is_id(text), "an id judged wrongly");
  expect(status.ok() || status.code() == absl::StatusCode::kInvalidArgument, "another code");
  expect(status.ok() || absl::StartsWith(status.message(), "thread_id: "),
         "the field is not named");
}

void check_uuid(std::string_view text) {
  const auto id = parse_uuid("request_id", text);
  if (!id.ok()) {
    expect(id.status().code() == absl::StatusCode::kInvalidArgument, "another code");
    return;
  }
  expect(!id->empty(), "the nil UUID was let in");
  expect(format_uuid(*id) == absl::AsciiStrToLower(absl::string_view(text.data(), text.size())),
         "a UUID that is not given back");
}

/// Every 16 bytes make a UUID whose text leads back to them, in either case.
void check_bytes(std::string_view sixteen) {
  const Id128 id = Id128::from_bytes(sixteen);
  const std::string text = format_uuid(id);
  for (const std::string& spelling : {text, absl::AsciiStrToUpper(text)}) {
    const auto parsed = parse_uuid("request_id", spelling);
    expect(parsed.ok() != id.empty(), "a UUID of ours judged wrongly");
    expect(!parsed.ok() || *parsed == id, "another UUID");
  }
}

/// The bytes between both parts keep keys apart that read the same when joined.
void check_keys(std::string_view text) {
  const size_t middle = text.size() / 2;
  const ConversationKey key{std::string(text.substr(0, middle)), std::string(text.substr(middle))};
  if (!is_id(key.tenant) || !is_id(key.thread)) return;
  expect(shard_of(key_hash(key), 256).value < 256, "a shard that is not there");
  const ConversationKey moved{key.tenant + key.thread.substr(0, 1), key.thread.substr(1)};
  expect(key_hash(key) != key_hash(moved), "two keys with one hash");
}

}  // namespace
}  // namespace parley::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace parley;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz::check_ids(text);
  fuzz::check_uuid(text);
  if (size >= 16) fuzz::check_bytes(text.substr(0, 16));
  fuzz::check_keys(text);
  return 0;
}
