#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "services/providers/extraction.hpp"
#include "tests/fuzz/input.hpp"

/// Providers' answers: any bytes are one, and nothing absurd is found out from them.
namespace parley::fuzz {
namespace {

const std::vector<ProviderMarks>& marks() {
  static const std::vector<ProviderMarks> all = {{"a",
                                                  {"x-a-*"},
                                                  {*JsonPath::parse("x_a.id")},
                                                  {"msg_"},
                                                  {{"b[].c", *JsonPath::parse("b[].c")}}}};
  return all;
}

void check_usage(const Usage& usage) {
  expect(usage.prompt >= 0 && usage.completion >= 0 && usage.total >= 0, "tokens below zero");
  expect(usage.cached >= 0 && usage.cache_write >= 0 && usage.reasoning >= 0, "parts below zero");
}

void check_extraction(std::string_view body) {
  const std::vector<WantedValue> wanted = {{"usage.cost", *JsonPath::parse("usage.cost")}};
  const Extraction found = extract({200, {{"x-request-id", "r"}}, body}, {wanted, marks(), {}});
  expect(found.identifiers.size() <= Identifiers::k_most, "more identifiers than there may be");
  expect(found.form != BodyForm::text || !found.problem.empty(), "unread, and it is not said");
  if (found.usage) check_usage(found.usage->usage);
  if (found.usage && found.usage->billed) check_usage(*found.usage->billed);
  if (found.cost) expect(found.cost->units >= 0 && found.cost->nanos >= 0, "money below zero");
  if (found.latency) expect(found.latency->micros > 0, "it took no time");
}

}  // namespace
}  // namespace parley::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  parley::fuzz::check_extraction({reinterpret_cast<const char*>(data), size});
  return 0;
}
