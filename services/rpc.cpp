#include "services/rpc.hpp"

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include <google/protobuf/io/coded_stream.h>
#include <grpcpp/support/proto_buffer_reader.h>

namespace parley {
namespace {

/// Below this, copying beats handing over.
constexpr size_t k_copied_bytes = 2048;
/// Three levels of protobuf for each level of JSON; metadata may nest 32 levels, so there is room
/// to refuse.
constexpr int k_nesting_max = 400;
constexpr const char* k_tenant_key = "parley-tenant";

bool parse_all(google::protobuf::io::CodedInputStream& stream, google::protobuf::Message& message) {
  stream.SetRecursionLimit(k_nesting_max);
  return message.ParseFromCodedStream(&stream) && stream.ConsumedEntireMessage();
}

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

bool parse(grpc::ByteBuffer& bytes, google::protobuf::Message& message) {
  bool parsed = false;
  // Why apart: a message in one piece, as most are, is read without asking for the next.
  if (grpc::Slice whole; bytes.TrySingleSlice(&whole).ok()) {
    google::protobuf::io::CodedInputStream stream(whole.begin(), static_cast<int>(whole.size()));
    parsed = parse_all(stream, message);
  } else {
    grpc::ProtoBufferReader reader(&bytes);
    if (!reader.status().ok()) return false;
    google::protobuf::io::CodedInputStream stream(&reader);
    parsed = parse_all(stream, message) && reader.status().ok();
  }
  // What cannot be parsed stays, to tell what is wrong with it.
  if (parsed) bytes.Clear();
  return parsed;
}

bool parse(const std::string& bytes, google::protobuf::Message& message) {
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  return parse_all(stream, message);
}

ApiError undecodable_request(const grpc::ByteBuffer& bytes,
                             const google::protobuf::Message& expected) {
  grpc::Slice whole;
  if (!bytes.DumpToSingleSlice(&whole).ok()) return undecodable_request();
  return undecodable_request(
      std::string_view(reinterpret_cast<const char*>(whole.begin()), whole.size()), expected);
}

Checked<std::string> tenant_of(const grpc::ServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto named = metadata.find(k_tenant_key);
  if (named == metadata.end()) return std::string("default");
  std::string tenant(named->second.data(), named->second.size());
  if (const Status status = check_id(k_tenant_key, tenant); !status.ok()) {
    return error_of(status);
  }
  return tenant;
}

std::string trace_parent_of(const grpc::ServerContext& context) {
  // Version 00 has 55 characters, later ones may have more.
  constexpr size_t k_longest = 256;
  const auto& metadata = context.client_metadata();
  const auto sent = metadata.find("traceparent");
  if (sent == metadata.end() || sent->second.size() > k_longest) return {};
  std::string trace(sent->second.data(), sent->second.size());
  const bool fits = absl::c_all_of(trace, [](char c) {
    return absl::ascii_isxdigit(static_cast<unsigned char>(c)) || c == '-';
  });
  return fits ? trace : std::string();
}

}  // namespace parley
