#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "parley/v1/provider.grpc.pb.h"
#include "services/node.hpp"
#include "services/providers/catalogue.hpp"
#include "services/rpc.hpp"

namespace parley {

using ProviderRpcs =
    v1::ProviderService::WithRawMethod_ListProviders<v1::ProviderService::WithRawMethod_GetProvider<
        v1::ProviderService::WithRawMethod_ExtractMetadata<v1::ProviderService::Service>>>;

/// The gRPC facade of what is known of providers. Any node answers by itself: nothing is stored.
///
/// Owned by the server. Handlers run on the queues' threads; a large response is read elsewhere.
class ProviderService {
 public:
  ProviderService(Node& node, ProviderRpcs& rpcs) : node_(node), rpcs_(rpcs) {}

  void serve(CallQueue& queue);

 private:
  template <class Request>
  using Call = UnaryCall<Request>;

  template <class Request>
  void serve_method(CallQueue& queue, typename Rpc<ProviderRpcs, Request>::Wait wait,
                    void (ProviderService::*handler)(Call<Request>*));

  void list(Call<v1::ListProvidersRequest>* rpc);
  void get(Call<v1::GetProviderRequest>* rpc);
  void extract_metadata(Call<v1::ExtractMetadataRequest>* rpc);

  Node& node_;
  ProviderRpcs& rpcs_;
  const ProviderCatalogue& catalogue_ = ProviderCatalogue::built_in();
  std::vector<std::shared_ptr<void>> methods_;
  std::atomic<int64_t> calls_{0};
};

}  // namespace parley
