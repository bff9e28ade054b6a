#include "services/rpc.hpp"

namespace parley {
namespace {

/// Below this, copying beats handing over.
constexpr size_t k_copied_bytes = 2048;
constexpr const char* k_tenant_key = "parley-tenant";

}  // namespace

grpc::Status to_grpc_status(const ApiError& error) {
  const google::rpc::Status status = to_rpc_status(error);
  return {static_cast<grpc::StatusCode>(status.code()), status.message(),
          status.SerializeAsString()};
}

grpc::ByteBuffer to_byte_buffer(std::string bytes) {
  if (bytes.size() <= k_copied_bytes) {
    const grpc::Slice slice(bytes);
    return {&slice, 1};
  }
  auto* kept = new std::string(std::move(bytes));
  const auto release = [](void* owner) { delete static_cast<std::string*>(owner); };
  const grpc::Slice slice(kept->data(), kept->size(), release, kept);
  return {&slice, 1};
}

Checked<std::string> tenant_of(const grpc::ServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto named = metadata.find(k_tenant_key);
  if (named == metadata.end()) return std::string("default");
  std::string tenant(named->second.data(), named->second.size());
  if (const Status status = check_id(k_tenant_key, tenant); !status.ok()) {
    return invalid_field(k_tenant_key, std::string(status.message()));
  }
  return tenant;
}

}  // namespace parley
