#include "services/provider_service.hpp"

#include <string>

#include "services/providers/extraction.hpp"
#include "services/translate_provider.hpp"

namespace parley {
namespace {

constexpr int k_waiting = 4;
/// Reading more would keep other calls waiting: a thread that may takes it.
constexpr size_t k_body_bytes_here = 32U << 10;

}  // namespace

template <class Request>
void ProviderService::serve_method(CallQueue& queue, typename Rpc<ProviderRpcs, Request>::Wait wait,
                                   void (ProviderService::*handler)(Call<Request>*)) {
  using Origin = Rpc<ProviderRpcs, Request>;
  using Method = typename Origin::Method;
  auto method = std::make_shared<Method>(
      Method{rpcs_, wait, [this, handler](Call<Request>* rpc) { (this->*handler)(rpc); }, calls_,
             node_.traffic, node_.config.limits.request_bytes});
  methods_.push_back(method);
  for (int i = 0; i < k_waiting; ++i) Origin::await(*method, queue);
}

void ProviderService::serve(CallQueue& queue) {
  serve_method(queue, &ProviderRpcs::RequestListProviders, &ProviderService::list);
  serve_method(queue, &ProviderRpcs::RequestGetProvider, &ProviderService::get);
  serve_method(queue, &ProviderRpcs::RequestExtractMetadata, &ProviderService::extract_metadata);
}

void ProviderService::list(Call<v1::ListProvidersRequest>* rpc) {
  v1::ListProvidersResponse response;
  for (const auto& [name, provider] : catalogue_.providers()) *response.add_providers() = provider;
  rpc->finish_message(response);
}

void ProviderService::get(Call<v1::GetProviderRequest>* rpc) {
  if (const auto error = validate(rpc->request, node_.config.limits)) {
    return rpc->finish_error(*error);
  }
  const v1::Provider* provider = catalogue_.find(rpc->request.provider());
  if (provider == nullptr) {
    return rpc->finish_error(
        make_error(ErrorId::provider_not_found, {{"provider", rpc->request.provider()}}));
  }
  v1::GetProviderResponse response;
  *response.mutable_provider() = *provider;
  rpc->finish_message(response);
}

void ProviderService::extract_metadata(Call<v1::ExtractMetadataRequest>* rpc) {
  if (const auto error = validate(rpc->request, node_.config.limits)) {
    return rpc->finish_error(*error);
  }
  const auto run = [this, rpc] {
    const ExtractionOrder order(rpc->request);
    const v1::Provider* known = catalogue_.find(rpc->request.provider());
    const std::string& provider = known != nullptr ? known->provider() : rpc->request.provider();
    const Extraction found = extract(order.response, {order.wanted, catalogue_.marks(), provider});
    v1::ExtractMetadataResponse response;
    fill_metadata(found, order.response.status, *response.mutable_metadata());
    rpc->finish_message(response);
  };
  if (rpc->request.response().body().size() <= k_body_bytes_here) return run();
  node_.blocking(run);
}

}  // namespace parley
