// The core and the codec alone, per append of one message of 200 B with a request id; and what is
// found out from a provider's answer.
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/requests.hpp"
#include "conversation/engine.hpp"
#include "services/providers/catalogue.hpp"
#include "services/providers/extraction.hpp"
#include "storage/codec.hpp"
#include "tests/support/builders.hpp"

namespace parley {
namespace {

const std::string k_text = bench::words(200, 1);

/// A conversation that is a hundred messages old.
State grown(build::Conversation& conversation) {
  for (uint64_t i = 1; i <= 100; ++i) {
    conversation.must(build::append_or_create({k_text}), build::request(i));
  }
  return conversation.state();
}

void decide_and_evolve(benchmark::State& run) {
  build::Conversation conversation;
  State state = grown(conversation);
  const Limits limits;
  build::Contexts contexts(limits);
  uint64_t number = 1'000;
  for (auto _ : run) {
    ++number;
    Decision decision = decide(state, build::append({k_text}), build::request(number),
                               contexts.at(static_cast<int64_t>(number)));
    for (const Event& event : std::get<Accept>(decision).events) {
      state = evolve(std::move(state), event);
    }
  }
}

void engine_round(benchmark::State& run) {
  build::Conversation conversation;
  const Limits limits;
  build::Contexts contexts(limits);
  Engine engine({grown(conversation), {}}, {{1}, SteadyTime::never()}, limits);
  std::vector<Output> out;
  uint64_t number = 1'000;
  for (auto _ : run) {
    ++number;
    out.clear();
    engine.step(Submit{number,
                       build::append({k_text}),
                       build::request(number),
                       contexts.at(static_cast<int64_t>(number)),
                       {1}},
                out);
    engine.step(Written{WriteOutcome::committed, {1}}, out);
    benchmark::DoNotOptimize(out.data());
  }
}

/// What the log is given for such an append.
Commit one_commit() {
  build::Conversation conversation;
  grown(conversation);
  const Limits limits;
  build::Contexts contexts(limits);
  Decision decision = decide(conversation.state(), build::append({k_text}), build::request(1'000),
                             contexts.at(1'000));
  Commit commit;
  commit.key = {"default", "busy-0000001"};
  commit.key_hash = key_hash(commit.key);
  commit.shard = shard_of(commit.key_hash, 256);
  commit.epoch = {1};
  commit.batch.expected = conversation.state().version;
  commit.batch.after = conversation.state().version.next();
  commit.batch.events =
      std::make_shared<const EventList>(std::get<Accept>(std::move(decision)).events);
  commit.batch.index_before = index_row(conversation.state());
  commit.batch.index_after = commit.batch.index_before;
  return commit;
}

void encode_a_commit(benchmark::State& run) {
  const Commit commit = one_commit();
  for (auto _ : run) benchmark::DoNotOptimize(encode_commit(commit));
}

void decode_a_commit(benchmark::State& run) {
  const std::string bytes = encode_commit(one_commit());
  for (auto _ : run) benchmark::DoNotOptimize(decode_log_record(bytes, 256));
}

void encode_a_state(benchmark::State& run) {
  build::Conversation conversation;
  const State state = grown(conversation);
  for (auto _ : run) benchmark::DoNotOptimize(encode_state(state));
}

void extract_an_answer(benchmark::State& run) {
  const std::string body =
      R"({"id": "chatcmpl-BpJBM4XqgLRpLxm", "object": "chat.completion", "created": 1751566698,
          "model": "gpt-4o-2024-08-06", "choices": [{"index": 0, "message": {"role": "assistant",
          "content": ")" +
      k_text + R"(", "refusal": null, "annotations": []}, "logprobs": null,
          "finish_reason": "stop"}], "usage": {"prompt_tokens": 1420, "completion_tokens": 100,
          "total_tokens": 1520, "prompt_tokens_details": {"cached_tokens": 1280,
          "audio_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0,
          "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}},
          "service_tier": "default", "system_fingerprint": "fp_07871e2ad8"})";
  const RawResponse response{200,
                             {{"content-type", "application/json"},
                              {"openai-organization", "org"},
                              {"openai-processing-ms", "365"},
                              {"openai-version", "2020-10-01"},
                              {"x-ratelimit-limit-requests", "10000"},
                              {"x-ratelimit-remaining-requests", "9999"},
                              {"x-ratelimit-reset-requests", "6ms"},
                              {"x-request-id", "req_d3ecdcde6af5cffc"}},
                             body};
  const ExtractionRules rules{{}, ProviderCatalogue::built_in().marks(), {}};
  for (auto _ : run) {
    const Extraction found = extract(response, rules);
    benchmark::DoNotOptimize(found.usage->usage.total);
  }
}

BENCHMARK(decide_and_evolve)->Name("decide + evolve");
BENCHMARK(engine_round)->Name("engine: submit + written");
BENCHMARK(encode_a_commit)->Name("encode_commit");
BENCHMARK(decode_a_commit)->Name("decode_log_record");
BENCHMARK(encode_a_state)->Name("encode_state of 100 messages");
BENCHMARK(extract_an_answer)->Name("extract: a provider's answer of 900 B");

}  // namespace
}  // namespace parley

BENCHMARK_MAIN();
