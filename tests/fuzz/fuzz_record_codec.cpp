#include <google/protobuf/stubs/logging.h>

#include "storage/codec.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/storage/rows.hpp"
#include "tests/storage/same_values.hpp"

/// Arbitrary bytes as stored values: they are refused, or make a value that survives another round.
namespace parley::fuzz {
namespace {

constexpr uint32_t k_shards = 64;

template <class Decode, class Encode>
void check(std::string_view bytes, Decode decode, Encode encode) {
  const auto value = decode(bytes);
  if (!value.ok()) {
    const auto code = value.status().code();
    expect(code == absl::StatusCode::kDataLoss || code == absl::StatusCode::kFailedPrecondition,
           "refused with another code");
    expect(!value.status().message().empty(), "refused without a word");
    return;
  }
  const std::string written = encode(*value);
  const auto again = decode(written);
  expect(again.ok(), "what was read cannot be written and read again");
  expect(values::same(*value, *again), "another value after another round");
  expect(encode(*again) == written, "other bytes for the same value");
}

std::string encode_log_record(const LogRecord& record) {
  const auto* commit = std::get_if<Commit>(&record);
  return commit != nullptr ? encode_commit(*commit)
                           : encode_epoch_raised(std::get<EpochRaised>(record));
}

}  // namespace
}  // namespace parley::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace parley;
  // A finding must not drown in what protobuf says of each string that is no UTF-8.
  [[maybe_unused]] static const auto loud = google::protobuf::SetLogHandler(nullptr);
  fuzz::Input input(data, size);
  const size_t kind = input.below(4);
  const std::string_view bytes = input.rest();
  switch (kind) {
    case 0:
      fuzz::check(
          bytes, [](auto b) { return decode_events(b); },
          [](const EventList& events) { return encode_events(row_of(events)); });
      break;
    case 1:
      fuzz::check(
          bytes, [](auto b) { return decode_messages(b, {1000}); },
          [](const std::vector<Message>& messages) { return encode_messages(row_of(messages)); });
      break;
    case 2:
      fuzz::check(
          bytes, [](auto b) { return decode_state(b); }, encode_state);
      break;
    default:
      fuzz::check(
          bytes, [](auto b) { return decode_log_record(b, fuzz::k_shards); },
          fuzz::encode_log_record);
  }
  return 0;
}
