#include "services/providers/extraction.hpp"

#include <array>
#include <utility>

#include "services/providers/api_shapes.hpp"
#include "services/providers/told_costs.hpp"

namespace parley {
namespace {

constexpr std::array<Names, 7> k_models = {{{"model"},
                                            {"message", "model"},
                                            {"response", "model"},
                                            {"interaction", "model"},
                                            {"modelVersion"},
                                            {"data", "model"},
                                            {"trace", "promptRouter", "invokedModelId"}}};
constexpr std::array<Names, 11> k_response_ids = {{{"response_id"},
                                                   {"message", "id"},
                                                   {"response", "id"},
                                                   {"interaction", "id"},
                                                   {"data", "id"},
                                                   {"id"},
                                                   {"responseId"},
                                                   {"interaction_id"},
                                                   {"conversation_id"},
                                                   {"response", "response_id"},
                                                   {"generation_id"}}};
constexpr std::array<Names, 9> k_tiers = {{{"service_tier"},
                                           {"response", "service_tier"},
                                           {"interaction", "service_tier"},
                                           {"usage", "service_tier"},
                                           {"message", "usage", "service_tier"},
                                           {"usageMetadata", "serviceTier"},
                                           {"usageMetadata", "trafficType"},
                                           {"serviceTier", "type"},
                                           {"data", "service_tier"}}};
constexpr std::array<Names, 2> k_request_ids = {{{"request_id"}, {"x_groq", "id"}}};

void take_first(const Json& document, std::span<const Names> places, std::string& into) {
  for (const Names& place : places) {
    if (into.empty()) into = text_at(document, place);
  }
}

void take_last(const Json& document, std::span<const Names> places, std::string& into) {
  for (const Names& place : places) {
    std::string found = text_at(document, place);
    if (!found.empty()) into = std::move(found);
  }
}

std::string request_id_of(const ResponseHeaders& headers, const std::vector<Json>& documents) {
  for (const char* name :
       {"x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "x-debug-trace-id",
        "mistral-correlation-id", "x-generation-id", "x-ds-trace-id", "inference-id"}) {
    const auto found = headers.find(name);
    if (found != headers.end() && !found->second.empty()) return found->second;
  }
  for (const Json& document : documents) {
    std::string id;
    take_first(document, k_request_ids, id);
    if (!id.empty()) return id;
  }
  return {};
}

void read_names(const Json& document, Extraction& out) {
  take_first(document, k_models, out.model);
  take_first(document, k_response_ids, out.response_id);
  take_last(document, k_tiers, out.service_tier);
}

/// What is known to be an identifier of that provider's, whatever it is called.
void read_known(std::span<const ProviderMarks> marks, const std::string& provider,
                const std::vector<Json>& documents, Identifiers& identifiers) {
  for (const ProviderMarks& each : marks) {
    if (each.provider != provider) continue;
    for (const auto& [text, path] : each.identifiers) {
      for (const Json& document : documents) identifiers.read(document, path, text);
    }
  }
}

}  // namespace

Extraction extract(const RawResponse& response, const ExtractionRules& rules) {
  Extraction out;
  ResponseDocuments read = read_documents(response.body);
  out.form = read.form;
  out.problem = std::move(read.problem);
  Identifiers identifiers;
  Identifiers asked_for;
  UsageReader usage;
  FinishReader finish;
  identifiers.read(response.headers);
  for (const Json& document : read.documents) {
    identifiers.read(document);
    for (const WantedValue& each : rules.wanted) asked_for.read(document, each.path, each.name);
    usage.read(document);
    finish.read(document);
    read_names(document, out);
    take_cost(document, out.cost);
    take_latency(document, out.latency);
    if (out.api.empty()) out.api = api_shape(document);
  }
  out.usage = usage.usage(response.headers);
  if (!out.latency) out.latency = latency_in(response.headers);
  out.provider = !rules.provider.empty()
                     ? std::string(rules.provider)
                     : recognised(rules.marks, response.headers, read.documents, out.response_id);
  read_known(rules.marks, out.provider, read.documents, identifiers);
  out.identifiers = identifiers.all();
  out.identifiers_complete = identifiers.complete();
  out.wanted = asked_for.all();
  out.finish = finish.word();
  out.finish_kind = finish_kind(out.finish);
  out.request_id = request_id_of(response.headers, read.documents);
  out.rate_limits = rate_limits(response.headers);
  out.retry_after_millis = retry_after_millis(response.headers);
  out.error = provider_error(response.status, response.headers, read.documents);
  return out;
}

}  // namespace parley
